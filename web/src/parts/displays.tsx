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

export const CHART = "application/vnd.codeloop.chart+json";

interface Charts {
  charts: { title: string; x: string; y: string; series: { kind: string; label: string; points: [unknown, unknown][] }[] }[];
}

/** Return the points of a figure's charts as a table: a row for each, with what it belongs to where there is more than one. */
export function tableOf(text: string): string {
  const { charts } = JSON.parse(text) as Charts;
  const { x, y } = charts[0] ?? { x: "", y: "" };
  const across = x || "x";
  const names = { chart: "chart", series: "series", x: across, y: y && y !== across ? y : "y" };
  const data = charts.flatMap(({ title, series }, at) =>
    series.flatMap(({ label, kind, points }, number) =>
      points.map(([x, y]) => ({ [names.chart]: title || at + 1, [names.series]: label || `${kind} ${number + 1}`, [names.x]: x, [names.y]: y })),
    ),
  );
  const many = charts.length > 1;
  const told = [...(many ? [names.chart] : []), ...(many || (charts[0]?.series.length ?? 0) > 1 ? [names.series] : []), names.x, names.y];
  const numeric = (name: string): boolean => data.every((row) => typeof row[name] === "number" || row[name] === null);
  return JSON.stringify({ schema: { fields: told.map((name) => ({ name, type: numeric(name) ? "number" : "string" })) }, data });
}

// what plotting calls return, which nobody wants to read beside the plot
const PARTS_OF_PLOT = /^(\[|\()?(<matplotlib|<Axes|<Figure|Text\()/;

export function Displays({ result, chat }: { result: Result; chat: string }): VNode {
  const forms = result.displays.flatMap((display) => {
    const form = best(display.parts);
    return form ? [[...form, display.parts.find(([mime]) => mime === CHART)?.[1] ?? null] as const] : [];
  });
  const drawn = forms.some(([mime]) => mime.startsWith("image/"));
  let plots = 0;
  return (
    <>
      {forms.map(([mime, form, chart], at) => {
        if (drawn && mime === "text/plain" && PARTS_OF_PLOT.test(String(form))) return null;
        const number = mime.startsWith("image/") ? ++plots : 0;
        return <Display key={at} {...{ mime, form, chart, chat, number }} />;
      })}
    </>
  );
}

interface DisplayProps {
  mime: string;
  form: Form;
  chat: string;
  number: number; // of a plot, from 1
  chart: Form | null; // the data of a plot
}

function Display(props: DisplayProps): VNode {
  if (props.mime.startsWith("image/")) return <Picture {...props} />;
  if (props.mime === "text/html") return <Frame {...props} />;
  return <Loaded {...props} />;
}

function Picture({ mime, form, chat, number, chart }: DisplayProps): VNode {
  const [asData, setAsData] = useState(false);
  const data = typeof form === "string" ? form : null;
  const inline = mime === "image/svg+xml" ? `data:${mime};utf8,${encodeURIComponent(data ?? "")}` : `data:${mime};base64,${data}`;
  const source = typeof form === "string" ? inline : blobPath(chat, form.blob);
  const ending = mime === "image/svg+xml" ? "svg" : (mime.split("/")[1] ?? "png");
  return (
    <figure class="picture">
      <img src={source} alt={`Plot ${number}`} />
      {chart !== null && (
        <IconButton icon="table" label={asData ? "Hide the data of the plot" : "Show the data of the plot"} class="as-data" pressed={asData} onClick={() => setAsData(!asData)} />
      )}
      <a class="icon-button" href={source} download={`plot-${number}.${ending}`} title="Save the picture" aria-label="Save the picture">
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
          <path d="M12 4v11M7 11l5 5 5-5M5 20h14" />
        </svg>
      </a>
      {asData && chart !== null && <Loaded mime={CHART} form={chart} chat={chat} />}
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

function Loaded({ mime, form, chat }: { mime: string; form: Form; chat: string }): VNode {
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
  if (mime === CHART) return <Table text={tableOf(text)} />;
  if (mime === "text/markdown") return <div class="prose" dangerouslySetInnerHTML={{ __html: rendered(text) }} />;
  return <pre class="output value">{text}</pre>;
}
