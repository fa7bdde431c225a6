// Events to view: a pure function, so that a page that is loaded again shows what it showed live.
import type { ChatEvent, Data, Result, StreamName, WorkFile } from "./events";

export interface Chunk {
  readonly stream: StreamName;
  readonly text: string;
}

export interface Cell {
  readonly id: string;
  readonly turn: string | null;
  readonly index: number;
  readonly language: string;
  readonly code: string;
  readonly skipped: string | null;
  readonly root: string; // the first of the attempts that this is one of
  readonly state: "still" | "waiting" | "running" | "done";
  readonly run: string | null;
  readonly output: readonly Chunk[];
  readonly kept: number; // characters of output
  readonly asks: string | null; // the prompt of an input() that waits
  readonly result: Result | null;
  readonly seq: number;
  readonly started: number; // when, in seconds
}

export interface Turn {
  readonly id: string;
  readonly model: string;
  readonly number: number;
  readonly of: number | null;
  readonly because: string;
  readonly text: string;
  readonly cells: readonly string[];
  readonly feedback: readonly { source: string; text: string }[];
  readonly ended: Data["turn.ended"] | null;
  readonly seq: number; // of its last event: where one can branch from
}

export type Item =
  | { readonly kind: "message"; readonly seq: number; readonly said: Data["message.added"] }
  | { readonly kind: "turn"; readonly seq: number; readonly turn: string }
  | { readonly kind: "cell"; readonly seq: number; readonly cell: string }
  | { readonly kind: "hint"; readonly seq: number; readonly text: string }
  | { readonly kind: "end"; readonly seq: number; readonly end: Data["loop.ended"] }
  | { readonly kind: "note"; readonly seq: number; readonly text: string }
  | { readonly kind: "error"; readonly seq: number; readonly error: Data["error"] };

export interface View {
  readonly seq: number;
  readonly title: string;
  readonly model: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly items: readonly Item[];
  readonly turns: Readonly<Record<string, Turn>>;
  readonly cells: Readonly<Record<string, Cell>>;
  readonly attempts: Readonly<Record<string, readonly string[]>>; // root to all, in order
  readonly ratings: Readonly<Record<string, Data["rating.given"]>>;
  readonly work: string | null; // what is in progress: loop, cell or replay
  readonly place: number; // in line before it; 0 once it goes on
  readonly running: string | null; // the cell that runs
  readonly sandbox: Data["sandbox.state"];
  readonly files: readonly WorkFile[];
  readonly tokens: { readonly prompt: number; readonly completion: number };
  readonly modelSeconds: number;
  readonly runSeconds: number;
}

export const EMPTY: View = {
  seq: 0,
  title: "",
  model: "",
  settings: {},
  items: [],
  turns: {},
  cells: {},
  attempts: {},
  ratings: {},
  work: null,
  place: 0,
  running: null,
  sandbox: { state: "none", isolation: "", memory_bytes: null, disk_bytes: null },
  files: [],
  tokens: { prompt: 0, completion: 0 },
  modelSeconds: 0,
  runSeconds: 0,
};

const KEPT = 256 * 1024; // characters of live output; the result has head and tail
const PIECE = 4096; // characters that are drawn as one

/** Return the view after one more event. An event that was seen before changes nothing. */
export function after(view: View, event: ChatEvent): View {
  if (event.seq <= view.seq) return view;
  return { ...fold(view, event), seq: event.seq };
}

function fold(view: View, event: ChatEvent): View {
  switch (event.type) {
    case "message.added":
      return put(view, { kind: "message", seq: event.seq, said: event.data });
    case "work.started":
      return { ...view, work: event.data.what, place: 0 };
    case "work.waits":
      return { ...view, work: event.data.what, place: event.data.place };
    case "work.ended":
      return { ...view, work: null, place: 0, running: null };
    case "turn.started":
      return startTurn(view, event.data, event.seq);
    case "text.delta":
      return setTurn(view, event.data.turn, event.seq, (turn) => ({ text: turn.text + event.data.text }));
    case "turn.ended":
      return endTurn(view, event.data, event.seq);
    case "feedback.given":
      return giveFeedback(view, event.data, event.seq);
    case "loop.ended":
      return put(view, { kind: "end", seq: event.seq, end: event.data });
    case "error":
      return put(view, { kind: "error", seq: event.seq, error: event.data });
    case "sandbox.state":
      return { ...view, sandbox: event.data };
    case "files.changed":
      return { ...view, files: event.data.files };
    case "rating.given":
      return { ...view, ratings: { ...view.ratings, [event.data.target]: event.data } };
    case "chat.branched":
      return note(view, event.seq, "Here this chat branches from another.");
    case "sandbox.restarted":
      return note(view, event.seq, "The sandbox was started anew: its variables are gone.");
    case "sandbox.replayed":
      return note(view, event.seq, replayed(event.data));
    case "chat.changed":
      return { ...view, ...present(event.data) };
    default:
      return foldCell(view, event);
  }
}

function foldCell(view: View, event: ChatEvent): View {
  switch (event.type) {
    case "cell.added":
      return addCell(view, event.data, event.seq);
    case "cell.waiting":
      return setCell(view, event.data.cell, event.seq, () => ({ state: "waiting" }));
    case "cell.started": {
      const started = { state: "running", run: event.data.run, code: event.data.code, started: event.at } as const;
      const fresh = { ...started, output: [], kept: 0, asks: null, result: null };
      return { ...setCell(view, event.data.cell, event.seq, () => fresh), running: event.data.cell };
    }
    case "cell.output":
      return setCell(view, event.data.cell, event.seq, (cell) => grown(cell, event.data.stream, event.data.text));
    case "cell.input":
      return setCell(view, event.data.cell, event.seq, () => ({ asks: event.data.prompt }));
    case "cell.typed":
      return setCell(view, event.data.cell, event.seq, (cell) => typed(cell, event.data.line));
    case "cell.finished":
      return finishCell(view, event.data, event.seq);
    default:
      return view;
  }
}

function put(view: View, item: Item): View {
  return { ...view, items: [...view.items, item] };
}

function note(view: View, seq: number, text: string): View {
  return put(view, { kind: "note", seq, text });
}

function replayed({ cells, complete, differences }: Data["sandbox.replayed"]): string {
  const ran = `${cells} ${cells === 1 ? "cell" : "cells"} run again in a new session`;
  if (!complete) return `${ran}; not all of them could be.`;
  return differences.length ? `${ran}; ${differences.length} went otherwise than before.` : `${ran}: variables and files are back.`;
}

function present(data: Data["chat.changed"]): Partial<View> {
  return {
    ...(data.title === undefined ? {} : { title: data.title }),
    ...(data.model === undefined ? {} : { model: data.model }),
    ...(data.settings === undefined ? {} : { settings: data.settings }),
  };
}

function startTurn(view: View, data: Data["turn.started"], seq: number): View {
  const { turn: id, model, number, of, because } = data;
  const turn: Turn = { id, model, number, of, because, text: "", cells: [], feedback: [], ended: null, seq };
  const begun = { ...view, place: 0, turns: { ...view.turns, [id]: turn } };
  return put(begun, { kind: "turn", seq, turn: id });
}

function endTurn(view: View, data: Data["turn.ended"], seq: number): View {
  const { prompt, completion } = view.tokens;
  const tokens = {
    prompt: prompt + data.usage.prompt_tokens,
    completion: completion + data.usage.completion_tokens,
  };
  const ended = setTurn(view, data.turn, seq, () => ({ text: data.reply, ended: data }));
  return { ...ended, tokens, modelSeconds: view.modelSeconds + data.seconds };
}

function giveFeedback(view: View, data: Data["feedback.given"], seq: number): View {
  const said = { source: data.source, text: data.text };
  const told = setTurn(view, data.turn, seq, (turn) => ({ feedback: [...turn.feedback, said] }));
  if (data.source !== "person") return told;
  return put(told, { kind: "hint", seq, text: data.text });
}

function setTurn(view: View, id: string, seq: number, change: (turn: Turn) => Partial<Turn>): View {
  const turn = view.turns[id];
  if (!turn) return view;
  return { ...view, turns: { ...view.turns, [id]: { ...turn, ...change(turn), seq } } };
}

function addCell(view: View, data: Data["cell.added"], seq: number): View {
  const { cell: id, turn, index, language, code, skipped, attempt_of: before } = data;
  const root = (before !== null && view.cells[before]?.root) || id;
  const still = { state: "still", run: null, output: [], kept: 0, asks: null, result: null, started: 0 } as const;
  const cell: Cell = { id, turn, index, language, code, skipped, root, seq, ...still };
  const others = view.attempts[root] ?? [];
  const added = {
    ...view,
    cells: { ...view.cells, [id]: cell },
    attempts: { ...view.attempts, [root]: [...others, id] },
  };
  if (turn !== null) return setTurn(added, turn, seq, (held) => ({ cells: [...held.cells, id] }));
  return root === id ? put(added, { kind: "cell", seq, cell: id }) : added;
}

function setCell(view: View, id: string, seq: number, change: (cell: Cell) => Partial<Cell>): View {
  const cell = view.cells[id];
  if (!cell) return view;
  return { ...view, cells: { ...view.cells, [id]: { ...cell, ...change(cell), seq } } };
}

function finishCell(view: View, data: Data["cell.finished"], seq: number): View {
  const done = setCell(view, data.cell, seq, () => ({ state: "done", asks: null, result: data.result }));
  return { ...done, running: null, runSeconds: view.runSeconds + data.result.wall_s };
}

function grown(cell: Cell, stream: StreamName, text: string): Partial<Cell> {
  if (cell.kept >= KEPT) return {};
  const last = cell.output[cell.output.length - 1];
  const joins = last !== undefined && last.stream === stream && !(last.text.length >= PIECE && last.text.endsWith("\n"));
  const before = joins ? cell.output.slice(0, -1) : cell.output;
  const output = [...before, ...inPieces(stream, joins ? last.text + text : text)];
  return { output, kept: cell.kept + text.length };
}

/** Cut a text at ends of lines into pieces that are quick to draw, and are not drawn again. */
export function inPieces(stream: StreamName, text: string): Chunk[] {
  const pieces: Chunk[] = [];
  let at = 0;
  while (text.length - at > PIECE) {
    const end = text.indexOf("\n", at + PIECE - 1) + 1;
    if (end === 0) break;
    pieces.push({ stream, text: text.slice(at, end) });
    at = end;
  }
  if (at < text.length) pieces.push({ stream, text: text.slice(at) });
  return pieces;
}

/** What was asked and typed stands in the output, as it does in a terminal. */
function typed(cell: Cell, line: string | null): Partial<Cell> {
  return { ...(line === null ? {} : grown(cell, "stdout", `${cell.asks ?? ""}${line}\n`)), asks: null };
}

/** Return the error of the last run that failed, in a few words; empty if it did not fail. */
export function fault(cell: Cell | undefined): string {
  const result = cell?.result;
  if (!result || result.status === "ok") return "";
  if (result.error) return `${result.error.name}: ${result.error.message}`.slice(0, 120);
  return result.status.replace("_", " ");
}
