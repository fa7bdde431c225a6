// The cell: code, its attempts, what it said and showed, and all that one can do with it.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Data } from "../events";
import { act, branch, drawer, say } from "../state";
import { bytes, seconds } from "../text/sizes";
import { fault, type Cell } from "../view";
import { Code, Diff, Editor } from "./code";
import { Displays } from "./displays";
import { Icon, IconButton } from "./icons";
import { memo } from "./memo";
import { CellOutput, Clock } from "./output";
import { Rating } from "./rating";
import { Asked } from "./asked";

export const SKIPPED: Readonly<Record<string, string>> = {
  output: "not run: marked as what a program prints",
  transcript: "not run: a transcript, no program",
  install: "not run: it only installs packages",
  no_runner: "not run: this language has no runner here",
  unlabelled: "not run: nothing says that this is code to run",
  cut_off: "not run: the reply ended inside it",
  earlier_failed: "not run: a cell before it failed",
  repeated: "not run again: the same code as before",
  time_up: "not run: the time was up",
};

const STATUS: Readonly<Record<string, string>> = {
  ok: "ok",
  error: "failed",
  compile_error: "did not compile",
  cpu_limit: "over the processor limit",
  wall_limit: "over the time limit",
  memory_limit: "over the memory limit",
  output_limit: "over the output limit",
  process_limit: "over the process limit",
  disk_limit: "over the disk limit",
  signal: "killed by a signal",
  interrupted: "interrupted",
  unsupported: "not supported here",
};

interface CellProps {
  chat: string;
  attempts: readonly Cell[]; // of one group, in order; each of them may be looked at
  shown: string; // the attempt that stands here by itself
  ratings: Readonly<Record<string, Data["rating.given"]>>;
  busy: boolean; // nothing else can be started now
  plain?: boolean; // only to look at
}

function sign(cell: Cell): "✓" | "✗" | "…" | "–" {
  if (cell.state === "running") return "…";
  if (!cell.result) return "–";
  return cell.result.status === "ok" ? "✓" : "✗";
}

export const CellBox = memo(function CellBox({ chat, attempts, shown, ratings, busy, plain }: CellProps): VNode | null {
  const [chosen, setChosen] = useState<string | null>(null);
  const [draft, setDraft] = useState<string | null>(null);
  const [diff, setDiff] = useState(false);
  const [line, setLine] = useState({ at: 0, flash: 0 });
  useEffect(() => setChosen(null), [attempts.length]);
  useEffect(() => setLine({ at: 0, flash: 0 }), [chosen, shown]);
  const cell = attempts.find((each) => each.id === (chosen ?? shown));
  if (!cell) return null;
  const at = attempts.indexOf(cell);
  const before = attempts[at - 1];
  const editing = draft !== null;
  const run = async (): Promise<void> => {
    const body = editing && draft !== cell.code ? { code: draft } : {};
    if (await act(chat, `/cells/${cell.id}/run`, body)) setDraft(null);
  };
  const marked = line.at || cell.result?.error?.line;
  return (
    <section
      class={`cell ${cell.state} ${cell.result ? (cell.result.status === "ok" ? "well" : "ill") : ""}`}
      aria-label={`Cell, ${cell.language}`}
      tabIndex={-1}
      data-cell={cell.id}
      onKeyDown={(event) => {
        if (event.target instanceof HTMLElement && /TEXTAREA|INPUT/.test(event.target.tagName)) return;
        if (event.ctrlKey || event.metaKey || event.altKey || plain) return;
        const number = Number(event.key);
        if (event.key === "e") setDraft(cell.code);
        else if (event.key === "r" && !busy) void run();
        else if (event.key === "d" && before) setDiff(!diff);
        else if (event.key === "c") void copy(cell.code);
        else if (number >= 1 && attempts[number - 1]) setChosen(attempts[number - 1]?.id ?? null);
        else return;
        event.preventDefault();
      }}
    >
      <header class="cell-head">
        <span class="language">{cell.language || "text"}</span>
        {attempts.length > 1 && <Tabs {...{ attempts, chosen: cell.id, choose: setChosen }} />}
        <span class="grow" />
        {!plain && (
          <Actions
            {...{ chat, cell, busy, editing, diff, hasBefore: before !== undefined }}
            onRun={() => void run()}
            onEdit={() => setDraft(editing ? null : cell.code)}
            onDiff={() => setDiff(!diff)}
          />
        )}
      </header>
      {editing ? (
        <Editor
          code={draft}
          language={cell.language}
          label="Edit the code"
          onChange={setDraft}
          onRun={() => void run()}
          onLeave={() => setDraft(null)}
        />
      ) : diff && before ? (
        <Diff before={before.code} after={cell.code} />
      ) : (
        <Code code={cell.code} language={cell.language} marked={marked ?? null} flash={line.flash} />
      )}
      {cell.skipped && <p class="note">{SKIPPED[cell.skipped] ?? `not run: ${cell.skipped}`}</p>}
      <div class="cell-out">
        <CellOutput cell={cell} onLine={(to) => setLine({ at: to, flash: line.flash + 1 })} />
        {cell.state === "waiting" && (
          <div class="asked" role="group" aria-label="May this code run?">
            <span class="grow">May this code run?</span>
            <button type="button" class="primary" onClick={() => void act(chat, `/cells/${cell.id}/allow`, { run: true })}>
              Run it
            </button>
            <button type="button" onClick={() => void act(chat, `/cells/${cell.id}/allow`, { run: false })}>
              Do not run
            </button>
          </div>
        )}
        {cell.asks !== null && <Asked chat={chat} prompt={cell.asks} />}
        {cell.result && <Displays result={cell.result} chat={chat} />}
      </div>
      <Foot cell={cell}>
        {!plain && cell.turn === null && (
          <IconButton icon="branch" label="Branch from here" onClick={() => void branch(chat, cell.seq)} />
        )}
        {!plain && <Rating chat={chat} target={cell.id} rated={ratings[cell.id] ?? null} own={cell.code} what="cell" />}
      </Foot>
    </section>
  );
});

async function copy(code: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(code);
    say("Copied.");
  } catch {
    say("The browser does not let the page copy.", true);
  }
}

interface TabsProps {
  attempts: readonly Cell[];
  chosen: string;
  choose: (id: string) => void;
}

function Tabs({ attempts, chosen, choose }: TabsProps): VNode {
  return (
    <div class="tabs" role="group" aria-label="Attempts">
      {attempts.map((each, at) => (
        <button
          type="button"
          key={each.id}
          aria-pressed={each.id === chosen}
          class={`tab ${sign(each) === "✗" ? "ill" : sign(each) === "✓" ? "well" : ""}`}
          aria-label={`Attempt ${at + 1}: ${each.state === "running" ? "running" : (STATUS[each.result?.status ?? ""] ?? "not run")}`}
          title={`Attempt ${at + 1}: ${each.state === "running" ? "running" : (STATUS[each.result?.status ?? ""] ?? "not run")}`}
          onClick={() => choose(each.id)}
        >
          {at + 1} <span aria-hidden="true">{sign(each)}</span>
        </button>
      ))}
    </div>
  );
}

interface ActionsProps {
  chat: string;
  cell: Cell;
  busy: boolean;
  editing: boolean;
  diff: boolean;
  hasBefore: boolean;
  onRun: () => void;
  onEdit: () => void;
  onDiff: () => void;
}

function Actions({ chat, cell, busy, editing, diff, hasBefore, onRun, onEdit, onDiff }: ActionsProps): VNode {
  if (cell.state === "running")
    return (
      <IconButton icon="stop" label="Interrupt" text class="danger" onClick={() => void act(chat, "/interrupt")} />
    );
  const failed = cell.result !== null && cell.result.status !== "ok";
  return (
    <div class="actions" role="group" aria-label="Cell">
      {failed && (
        <IconButton
          icon="wrench"
          label="Fix with model"
          text
          disabled={busy}
          onClick={() => void act(chat, `/cells/${cell.id}/fix`)}
        />
      )}
      {hasBefore && !editing && <IconButton icon="compare" label="Difference" pressed={diff} onClick={onDiff} />}
      <IconButton icon="copy" label="Copy" onClick={() => void copy(cell.code)} />
      <IconButton icon={editing ? "close" : "edit"} label={editing ? "Leave the editor" : "Edit"} onClick={onEdit} />
      <IconButton icon="play" label={editing ? "Run" : cell.result ? "Run again" : "Run"} text disabled={busy} onClick={onRun} />
    </div>
  );
}

function Foot({ cell, children }: { cell: Cell; children: (VNode | false)[] }): VNode | null {
  const result = cell.result;
  if (cell.state === "running")
    return (
      <p class="foot" role="status">
        <span class="pulse" aria-hidden="true" /> running <Clock since={cell.started} />
      </p>
    );
  if (!result) return null;
  const ok = result.status === "ok";
  return (
    <div class="foot">
      <span class={ok ? "good" : "bad"}>
        <Icon name={ok ? "check" : "cross"} /> {STATUS[result.status] ?? result.status}
      </span>
      <span>{seconds(result.wall_s)}</span>
      {result.peak_memory_bytes > 0 && <span>{bytes(result.peak_memory_bytes)}</span>}
      {result.state_lost && <span class="bad">its variables are gone</span>}
      {result.state_lost && (
        <button type="button" class="quiet" onClick={() => (drawer.value = "sandbox")}>
          bring them back
        </button>
      )}
      <span class="grow" />
      {children}
    </div>
  );
}

/** One line in the place of a cell that a later attempt has replaced. */
export function Superseded({ cell, at, onOpen }: { cell: Cell; at: number; onOpen: () => void }): VNode {
  const why = fault(cell);
  return (
    <button type="button" class="superseded" onClick={onOpen} data-cell={cell.id}>
      <span class={why ? "bad" : "good"}>
        <Icon name={why ? "cross" : "check"} />
      </span>
      Attempt {at + 1}
      {why && <span class="why">{why}</span>}
      <span class="grow" />
      <Icon name="expand" />
    </button>
  );
}
