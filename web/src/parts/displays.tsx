// What code showed beside its text: plots, tables, pages in a frame that reaches nothing.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { blobPath } from "../api";
import type { Blob as Kept, Result } from "../events";
import { rendered } from "../text/markdown";
import { bytes } from "../text/sizes";
import { IconButton } from "./icons";
import { Table } from "./table";

type Form = string | Kept;

const ORDER = [
  "application/vnd.dataresource+json",
  ...["image/svg+xml", "image/png", "image/jpeg"],
  ...["text/html", "text/markdown", "text/latex", "text/plain"],
];

/** Return the form of a display that says most. A PNG stands before an SVG that lies in a blob. */
export function best(parts: readonly [string, Form][]): [string, Form] | null {
  const known = ORDER.map((mime) => parts.find(([each]) => each === mime)).filter((each) => each !== undefined);
  const first = known[0] ?? parts[0] ?? null;
  if (first?.[0] !== "image/svg+xml") return first;
  return known.find(([mime]) => mime === "image/png" || mime === "image/jpeg") ?? first;
}

// what plotting calls return, which nobody wants to read beside the plot
const PARTS_OF_PLOT = /^(\[|\()?(<matplotlib|<Axes|<Figure|Text\()/;

export function Displays({ result, chat }: { result: Result; chat: string }): VNode {
  const forms = result.displays.map((display) => best(display.parts)).filter((form) => form !== null);
  const drawn = forms.some(([mime]) => mime.startsWith("image/"));
  let plots = 0;
  return (
    <>
      {forms.map(([mime, form], at) => {
        if (drawn && mime === "text/plain" && PARTS_OF_PLOT.test(String(form))) return null;
        const number = mime.startsWith("image/") ? ++plots : 0;
        return <Display key={at} mime={mime} form={form} chat={chat} number={number} />;
      })}
    </>
  );
}

interface DisplayProps {
  mime: string;
  form: Form;
  chat: string;
  number: number; // of a plot, from 1
}

function Display({ mime, form, chat, number }: DisplayProps): VNode {
  if (mime.startsWith("image/")) return <Picture {...{ mime, form, chat, number }} />;
  if (mime === "text/html") return <Frame {...{ mime, form, chat, number }} />;
  return <Loaded {...{ mime, form, chat, number }} />;
}

function Picture({ mime, form, chat, number }: DisplayProps): VNode {
  const data = typeof form === "string" ? form : null;
  const inline = mime === "image/svg+xml" ? `data:${mime};utf8,${encodeURIComponent(data ?? "")}` : `data:${mime};base64,${data}`;
  const source = typeof form === "string" ? inline : blobPath(chat, form.blob);
  const ending = mime === "image/svg+xml" ? "svg" : (mime.split("/")[1] ?? "png");
  return (
    <figure class="picture">
      <img src={source} alt={`Plot ${number}`} />
      <a class="icon-button" href={source} download={`plot-${number}.${ending}`} title="Save the picture" aria-label="Save the picture">
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
          <path d="M12 4v11M7 11l5 5 5-5M5 20h14" />
        </svg>
      </a>
    </figure>
  );
}

function Frame({ form, chat }: DisplayProps): VNode {
  const [tall, setTall] = useState(false);
  const where = typeof form === "string" ? { srcdoc: form } : { src: blobPath(chat, form.blob) };
  return (
    <div class={`frame ${tall ? "tall" : ""}`}>
      <iframe sandbox="allow-scripts" title="HTML that the code showed" referrerpolicy="no-referrer" loading="lazy" {...where} />
      <IconButton icon="expand" label={tall ? "Smaller" : "Taller"} pressed={tall} onClick={() => setTall(!tall)} />
    </div>
  );
}

function Loaded({ mime, form, chat }: DisplayProps): VNode {
  const [text, setText] = useState(typeof form === "string" ? form : null);
  useEffect(() => {
    if (typeof form === "string") return setText(form);
    let over = false;
    void fetch(blobPath(chat, form.blob))
      .then((answer) => answer.text())
      .then((loaded) => {
        if (!over) setText(loaded);
      });
    return () => {
      over = true;
    };
  }, [form, chat]);
  if (text === null) return <p class="muted">Loading {typeof form === "string" ? "" : bytes(form.bytes)} …</p>;
  if (mime === "application/vnd.dataresource+json") return <Table text={text} />;
  if (mime === "text/markdown") return <div class="prose" dangerouslySetInnerHTML={{ __html: rendered(text) }} />;
  return <pre class="output value">{text}</pre>;
}
