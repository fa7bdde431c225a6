// Rated chats as training data: found, checked, and taken away in a form that others read.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../api";
import { modelNames } from "../parts/composer";
import { Icon } from "../parts/icons";
import { ScreenHead } from "../parts/screenhead";
import { tried } from "../state";
import { plural } from "../text/sizes";

interface Row {
  chat: string;
  title: string;
  model: string;
  turns: number;
  up: number;
  down: number;
  preferred: number;
  reasons: string[];
  ran: boolean;
  passed: boolean;
  duplicate_of: string | null;
  secrets: string[];
}

const FORMS: readonly [string, string][] = [
  ["code-feedback", "Code-Feedback: dialogues, as the paper has them"],
  ["messages", "Messages: for supervised training"],
  ["preference", "Preference: what you would have written before what was; repairs; votes"],
  ["kto", "KTO: replies with thumbs"],
];

type Filters = Record<"thumb" | "model" | "ran" | "passed" | "duplicates" | "q", string>;

const NONE: Filters = { thumb: "", model: "", ran: "", passed: "", duplicates: "", q: "" };

function query(filters: Filters): URLSearchParams {
  return new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== ""));
}

export function DataScreen(): VNode {
  const [filters, setFilters] = useState(NONE);
  const [rows, setRows] = useState<Row[] | null>(null);
  useEffect(() => {
    let over = false;
    const timer = setTimeout(() => {
      void tried(get<{ rows: Row[] }>(`/api/data?${query(filters)}`)).then((found) => {
        if (!over && found) setRows(found.rows);
      });
    }, 120);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [filters]);
  const choose = (name: keyof Filters, value: string): void => setFilters({ ...filters, [name]: value });
  return (
    <main>
      <ScreenHead title="Data" />
      <div class="screen">
        <section>
          <h2>Rated chats</h2>
          <p class="muted">What you rate or correct in a chat appears here. Nothing leaves this machine unless you take it.</p>
          <FilterRow filters={filters} choose={choose} />
          {rows && <Rows rows={rows} filtered={filters !== NONE} />}
        </section>
        <Export filters={filters} rows={rows ?? []} />
      </div>
    </main>
  );
}

interface FilterProps {
  filters: Filters;
  choose: (name: keyof Filters, value: string) => void;
}

function FilterRow({ filters, choose }: FilterProps): VNode {
  const select = (name: keyof Filters, label: string, options: readonly [string, string][]): VNode => (
    <select aria-label={label} value={filters[name]} onChange={(event) => choose(name, event.currentTarget.value)}>
      <option value="">{label}</option>
      {options.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  );
  return (
    <div class="filters" role="search" aria-label="Filter chats">
      <input
        type="search"
        placeholder="Title"
        aria-label="Title"
        value={filters.q}
        onInput={(event) => choose("q", event.currentTarget.value)}
      />
      {select("thumb", "Any thumb", [
        ["up", "thumb up"],
        ["down", "thumb down"],
      ])}
      {select("model", "Any model", modelNames().map((name) => [name, name]))}
      {select("passed", "Passed or not", [
        ["1", "last run passed"],
        ["0", "last run failed"],
      ])}
      {select("ran", "Ran or not", [
        ["1", "code ran"],
        ["0", "no code ran"],
      ])}
      {select("duplicates", "With duplicates", [["0", "without duplicates"]])}
    </div>
  );
}

function Rows({ rows, filtered }: { rows: Row[]; filtered: boolean }): VNode {
  if (!rows.length)
    return <p class="muted">{filtered ? "No rated chat fits." : "Nothing is rated yet: use the thumbs under a reply or a cell."}</p>;
  return (
    <div class="scroll-x" tabIndex={0} role="region" aria-label="Rated chats">
      <table class="plain">
        <thead>
          <tr>
            {["Chat", "Model", "Turns", "Thumbs", "Yours", "Reasons", "Checks"].map((name) => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.chat}>
              <td>
                <a class="title-cell" href={`#/chat/${row.chat}`}>
                  {row.title || "untitled"}
                </a>
              </td>
              <td>{row.model}</td>
              <td>{row.turns}</td>
              <td class="nowrap">
                {row.up > 0 && (
                  <span title={`${row.up} up`}>
                    <Icon name="up" /> {row.up}{" "}
                  </span>
                )}
                {row.down > 0 && (
                  <span title={`${row.down} down`}>
                    <Icon name="down" /> {row.down}
                  </span>
                )}
              </td>
              <td>{row.preferred || ""}</td>
              <td>{row.reasons.join(", ")}</td>
              <td>
                <Checks row={row} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Checks({ row }: { row: Row }): VNode {
  return (
    <span class="chips">
      <Flag good={row.ran} text={row.ran ? "ran" : "never ran"} />
      {row.ran && <Flag good={row.passed} text={row.passed ? "passed" : "failed"} />}
      {row.duplicate_of && <Flag good={false} text="duplicate" />}
      {row.secrets.map((name) => (
        <Flag key={name} good={false} text={`looks like a ${name.replace("_", " ")}`} />
      ))}
    </span>
  );
}

function Flag({ good, text }: { good: boolean; text: string }): VNode {
  return (
    <span class={`flag ${good ? "good" : "bad"}`}>
      <Icon name={good ? "check" : "cross"} />
      {text}
    </span>
  );
}

function Export({ filters, rows }: { filters: Filters; rows: Row[] }): VNode {
  const [form, setForm] = useState("code-feedback");
  const [consent, setConsent] = useState(false);
  const [card, setCard] = useState(false);
  const left = rows.filter((row) => !row.duplicate_of && !row.secrets.length).length;
  const wanted = query(filters);
  wanted.set("format", form);
  wanted.set("consent", "1");
  if (card) wanted.set("card", "1");
  const ready = consent && rows.length > 0;
  return (
    <section class="card">
      <h2>Export</h2>
      <p class="muted">
        {plural(left, "chat")} of the {rows.length} above: duplicates, and what looks like a secret, are left out.
      </p>
      <label>
        Form
        <select value={form} onChange={(event) => setForm(event.currentTarget.value)}>
          {FORMS.map(([name, about]) => (
            <option key={name} value={name}>
              {about}
            </option>
          ))}
        </select>
      </label>
      <label class="check">
        <input type="checkbox" checked={card} onChange={(event) => setCard(event.currentTarget.checked)} />
        As a zip with a data card
      </label>
      <label class="check">
        <input type="checkbox" checked={consent} onChange={(event) => setConsent(event.currentTarget.checked)} />
        Whoever wrote these chats agrees that they are used for training
      </label>
      <div>
        {ready ? (
          <a class="button primary" href={`/api/data/export?${wanted}`} download>
            Export
          </a>
        ) : (
          <button type="button" class="primary" disabled>
            Export
          </button>
        )}
      </div>
    </section>
  );
}
