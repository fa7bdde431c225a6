// Code to read, to compare and to edit.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { difference } from "../text/diff";
import { highlighted } from "../text/highlight";
import { memo } from "./memo";

interface CodeProps {
  code: string;
  language: string;
  marked?: number | null; // the line that is pointed at, from 1
  flash?: number; // grows when the line is to be shown
}

export const Code = memo(function Code({ code, language, marked, flash }: CodeProps): VNode {
  const lines = useMemo(() => highlighted(code.replace(/\n$/, ""), language), [code, language]);
  const pointed = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (flash) pointed.current?.scrollIntoView({ block: "center", behavior: "smooth" });
  }, [flash]);
  return (
    <pre class="code" tabIndex={0} role="region" aria-label={`Code, ${language || "no language"}`}>
      <code>
        {lines.map((line, at) => (
          <span
            key={at}
            ref={at + 1 === marked ? pointed : null}
            class={at + 1 === marked ? `line marked flash-${(flash ?? 0) % 2}` : "line"}
            dangerouslySetInnerHTML={{ __html: line || " " }}
          />
        ))}
      </code>
    </pre>
  );
});

export const Diff = memo(function Diff({ before, after }: { before: string; after: string }): VNode {
  const lines = useMemo(() => difference(before, after), [before, after]);
  const names = { " ": "same", "-": "gone", "+": "new" } as const;
  return (
    <pre class="code diff" tabIndex={0} role="region" aria-label="Difference to the attempt before">
      <code>
        {lines.map((line, at) => (
          <span key={at} class={`line ${names[line.sign]}`}>
            {`${line.sign} ${line.text}`}
          </span>
        ))}
      </code>
    </pre>
  );
});

interface EditorProps {
  code: string;
  language: string;
  label: string;
  onChange: (code: string) => void;
  onRun: () => void;
  onLeave: () => void;
}

/** A text area over the same text in colours: what is typed is what stands there. */
export function Editor({ code, language, label, onChange, onRun, onLeave }: EditorProps): VNode {
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => area.current?.focus(), []);
  const html = useMemo(() => `${highlighted(code, language).join("\n")}\n`, [code, language]);
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) onRun();
    else if (event.key === "Escape") onLeave();
    else if (event.key === "Tab" && !event.shiftKey && !event.altKey) insert("    ");
    else if (event.key === "Enter" && !event.shiftKey) insert(`\n${indent()}`);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const indent = (): string => {
    const before = code.slice(0, area.current?.selectionStart ?? 0);
    const line = before.slice(before.lastIndexOf("\n") + 1);
    return (/^\s*/.exec(line)?.[0] ?? "") + (/[:{([]\s*$/.test(line) ? "    " : "");
  };
  const insert = (text: string): void => {
    const at = area.current;
    if (!at) return;
    at.setRangeText(text, at.selectionStart, at.selectionEnd, "end");
    onChange(at.value);
  };
  return (
    <div class="editor">
      <pre class="code" aria-hidden="true">
        <code dangerouslySetInnerHTML={{ __html: html }} />
      </pre>
      <textarea
        ref={area}
        class="code"
        aria-label={label}
        aria-description="Tab indents; Escape leaves the editor"
        spellcheck={false}
        autocapitalize="off"
        autocomplete="off"
        value={code}
        onInput={(event) => onChange(event.currentTarget.value)}
        onKeyDown={keys}
      />
    </div>
  );
}
