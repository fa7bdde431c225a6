// The line over a chat: its title, the sandbox, what to take away, what to open beside it.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { chatPath } from "../api";
import { act, drawer, link, sidebar, type Drawer } from "../state";
import { bytes } from "../text/sizes";
import type { View } from "../view";
import { Icon, IconButton, type IconName } from "./icons";

export const EXPORTS: readonly [string, string, string][] = [
  ["ipynb", "Notebook", "opens in Jupyter, with what came back"],
  ["py", "Python", "one file, cell by cell"],
  ["md", "Markdown", "to read or to paste"],
  ["html", "HTML", "one file, nothing else is needed"],
  ["zip", "Zip", "notebook and all files"],
  ["code-feedback", "Code-Feedback", "one line of training data"],
];

export const DRAWERS: readonly [Drawer, string, IconName][] = [
  ["files", "Files", "file"],
  ["variables", "Variables", "variable"],
  ["usage", "Usage", "gauge"],
  ["timeline", "Timeline", "clock"],
  ["sandbox", "Sandbox", "chip"],
];

const STATES: Readonly<Record<string, string>> = {
  none: "not started",
  starting: "starting",
  idle: "ready",
  busy: "running",
  dead: "ended",
};

export function Head({ chat, title, view }: { chat: string | null; title: string; view: View }): VNode {
  return (
    <header class="head">
      {!sidebar.value && <IconButton icon="menu" label="Show the chats" onClick={() => (sidebar.value = true)} />}
      <h1 title={title}>{title || (chat ? "New chat" : "codeloop")}</h1>
      {chat && link.value === "lost" && (
        <span class="lost" role="status">
          connection lost, trying again
        </span>
      )}
      <span class="grow" />
      {chat && <Chip view={view} />}
      {chat && <ExportMenu chat={chat} />}
      {chat &&
        DRAWERS.slice(0, 4).map(([name, label, icon]) => (
          <IconButton
            key={name}
            icon={icon}
            label={label}
            class={name === "files" ? "" : "wide"}
            pressed={drawer.value === name}
            onClick={() => (drawer.value = drawer.value === name ? null : name)}
          />
        ))}
    </header>
  );
}

function Chip({ view }: { view: View }): VNode {
  const { state, isolation, memory_bytes: memory } = view.sandbox;
  return (
    <button
      type="button"
      class={`chip sandbox-${state}`}
      aria-pressed={drawer.value === "sandbox"}
      title={`Sandbox: ${STATES[state] ?? state}${isolation ? `, ${isolation}` : ""}`}
      onClick={() => (drawer.value = drawer.value === "sandbox" ? null : "sandbox")}
    >
      <span class="dot" aria-hidden="true" />
      <span class="sr">Sandbox </span>
      {STATES[state] ?? state}
      {memory ? <span class="wide muted">{bytes(memory)}</span> : null}
    </button>
  );
}

function ExportMenu({ chat }: { chat: string }): VNode {
  const [open, setOpen] = useState(false);
  const [redact, setRedact] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    box.current?.querySelector("a")?.focus();
    const away = (event: Event): void => {
      if (event instanceof KeyboardEvent ? event.key === "Escape" : !box.current?.contains(event.target as Node)) setOpen(false);
    };
    addEventListener("pointerdown", away);
    addEventListener("keydown", away);
    return () => {
      removeEventListener("pointerdown", away);
      removeEventListener("keydown", away);
    };
  }, [open]);
  return (
    <div class="menu" ref={box}>
      <button type="button" class="icon-button" aria-expanded={open} aria-haspopup="true" aria-label="Export" title="Export" onClick={() => setOpen(!open)}>
        <Icon name="download" />
      </button>
      {open && (
        <ul class="menu-list" aria-label="Export">
          {EXPORTS.map(([format, name, about]) => (
            <li key={format}>
              <a href={chatPath(chat, `/export?format=${format}${redact ? "&redact=1" : ""}`)} download onClick={() => setOpen(false)}>
                <strong>{name}</strong>
                <span class="muted small">{about}</span>
              </a>
            </li>
          ))}
          <li>
            <label class="check" title="Keys of services, private keys, passwords and mail addresses; of files, only texts are taken">
              <input type="checkbox" checked={redact} onChange={(event) => setRedact(event.currentTarget.checked)} />
              Without what looks like a secret
            </label>
          </li>
        </ul>
      )}
    </div>
  );
}

export function restart(chat: string, how: "restart" | "replay"): void {
  void act(chat, "/sandbox", { do: how });
}
