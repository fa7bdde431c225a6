// A table that the code showed: sorted, searched, a page at a time, taken away as CSV.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { number, plural } from "../text/sizes";
import { IconButton } from "./icons";

export interface Resource {
  schema: { fields: { name: string; type: string }[] };
  data: Record<string, unknown>[];
  shape?: number[];
}

const PAGE = 10;
const WHOLE = 15; // rows that are shown on one page

/** Return what a display holds as a table; null if it is none. */
export function parsed(text: string): Resource | null {
  try {
    const found = JSON.parse(text) as Partial<Resource>;
    return Array.isArray(found.data) && Array.isArray(found.schema?.fields) ? (found as Resource) : null;
  } catch {
    return null;
  }
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(8)));
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Order two values: numbers before texts, what is missing last. */
export function ordered(a: unknown, b: unknown): number {
  const missing = Number(a === null || a === undefined) - Number(b === null || b === undefined);
  if (missing) return missing;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return shown(a).localeCompare(shown(b), "en", { numeric: true });
}

/** Return rows as CSV with a header, quoted where it has to be. */
export function csv(resource: Resource): string {
  const names = resource.schema.fields.map((field) => field.name);
  const quoted = (value: unknown): string => {
    const text = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const lines = [names, ...resource.data.map((row) => names.map((name) => row[name]))];
  return `${lines.map((line) => line.map(quoted).join(",")).join("\r\n")}\r\n`;
}

/** Give the person a text as a file. */
export function download(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const anchor = Object.assign(document.createElement("a"), { href: url, download: name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function Table({ text }: { text: string }): VNode {
  const resource = useMemo(() => parsed(text), [text]);
  if (!resource) return <pre class="output">{text.slice(0, 4000)}</pre>;
  return <Grid resource={resource} />;
}

function Grid({ resource }: { resource: Resource }): VNode {
  const { fields } = resource.schema;
  const [sort, setSort] = useState<{ name: string; down: boolean } | null>(null);
  const [words, setWords] = useState("");
  const [page, setPage] = useState(0);
  const rows = useMemo(() => {
    const wanted = words.toLowerCase();
    const found = wanted
      ? resource.data.filter((row) => fields.some(({ name }) => shown(row[name]).toLowerCase().includes(wanted)))
      : [...resource.data];
    if (sort) found.sort((a, b) => ordered(a[sort.name], b[sort.name]) * (sort.down ? -1 : 1));
    return found;
  }, [resource, words, sort]);
  const size = rows.length <= WHOLE ? WHOLE : PAGE;
  const pages = Math.max(1, Math.ceil(rows.length / size));
  const at = Math.min(page, pages - 1);
  const all = resource.shape?.[0] ?? resource.data.length;
  const turn = (name: string): void => {
    setSort(sort?.name !== name ? { name, down: false } : sort.down ? null : { name, down: true });
    setPage(0);
  };
  return (
    <div class="table">
      <div class="table-scroll" tabIndex={0} role="region" aria-label="Table">
        <table>
          <thead>
            <tr>
              {fields.map(({ name, type }) => (
                <th
                  key={name}
                  class={type}
                  scope="col"
                  aria-sort={sort?.name === name ? (sort.down ? "descending" : "ascending") : "none"}
                >
                  <button type="button" onClick={() => turn(name)} title={`Sort by ${name}`}>
                    {name}
                    <span aria-hidden="true">{sort?.name === name ? (sort.down ? " ↓" : " ↑") : ""}</span>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(at * size, at * size + size).map((row, index) => (
              <tr key={index}>
                {fields.map(({ name, type }) => (
                  <td key={name} class={type}>
                    {shown(row[name])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="table-foot">
        <span>
          {all > resource.data.length ? `first ${number(resource.data.length)} of ` : ""}
          {plural(all, "row")}
          {words && `, ${number(rows.length)} found`}
        </span>
        <input
          type="search"
          placeholder="Filter"
          aria-label="Filter rows"
          value={words}
          onInput={(event) => {
            setWords(event.currentTarget.value);
            setPage(0);
          }}
        />
        {pages > 1 && (
          <span class="pages">
            <button type="button" disabled={at === 0} onClick={() => setPage(at - 1)} aria-label="Page before">
              ‹
            </button>
            {at + 1} / {pages}
            <button type="button" disabled={at === pages - 1} onClick={() => setPage(at + 1)} aria-label="Next page">
              ›
            </button>
          </span>
        )}
        <IconButton
          icon="download"
          label="CSV"
          text
          onClick={() => download("table.csv", csv(resource), "text/csv")}
        />
      </div>
    </div>
  );
}

