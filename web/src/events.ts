// What a chat's events are, as the server sends them: the only truth that the page knows.

export type Thumb = "up" | "down" | null;
export type StreamName = "stdout" | "stderr";

export interface Blob {
  blob: string;
  mime: string;
  bytes: number;
}

export interface Output {
  text: string;
  total_bytes: number;
  truncated: boolean;
}

export interface Result {
  status: string;
  stdout: Output;
  stderr: Output;
  exit_code: number | null;
  signal: number | null;
  error: { name: string; message: string; line: number | null } | null;
  displays: { parts: [string, string | Blob][] }[];
  cpu_s: number;
  wall_s: number;
  peak_memory_bytes: number;
  isolation: string;
  state_lost: boolean;
}

export interface WorkFile {
  name: string;
  bytes: number;
  changed_s: number;
}

export interface Data {
  "message.added": {
    message: string;
    role: string;
    text: string;
    files: string[];
    branch_of: { chat: string; seq: number } | null;
    fixes?: string; // the cell that the model is to mend
  };
  "work.started": { what: string };
  "work.waits": { what: string; place: number };
  "work.ended": { what: string };
  "turn.started": { turn: string; model: string; number: number; of: number | null; because: string };
  "text.delta": { turn: string; text: string };
  "cell.added": {
    cell: string;
    turn: string | null;
    index: number;
    language: string;
    code: string;
    skipped: string | null;
    attempt_of: string | null;
  };
  "cell.waiting": { cell: string };
  "cell.started": { cell: string; run: string; code: string };
  "cell.output": { cell: string; run: string; stream: StreamName; text: string };
  "cell.input": { cell: string; run: string; prompt: string };
  "cell.typed": { cell: string; line: string | null };
  "cell.finished": { cell: string; run: string; result: Result };
  "feedback.given": { turn: string; source: string; text: string };
  "turn.ended": {
    turn: string;
    reply: string;
    finish: string;
    usage: { prompt_tokens: number; completion_tokens: number };
    seconds: number;
    first_token_s: number | null;
  };
  "loop.ended": { reason: string; well: boolean; detail: string };
  error: { where: string; message: string };
  "sandbox.state": {
    state: string;
    isolation: string;
    memory_bytes: number | null;
    disk_bytes: number | null;
  };
  "files.changed": { files: WorkFile[] };
  "rating.given": {
    target: string;
    thumb: Thumb;
    reasons: string[];
    comment: string;
    preferred: string | null;
  };
  "chat.changed": { title?: string; model?: string; settings?: Record<string, unknown> };
  "chat.branched": { branch_of: { chat: string; seq: number } };
  "sandbox.restarted": Record<string, unknown>;
  "sandbox.replayed": { cells: number; complete: boolean; differences: unknown[] };
}

export type Kind = keyof Data;
export type ChatEvent = { [K in Kind]: { seq: number; at: number; type: K; data: Data[K] } }[Kind];

export const KINDS: readonly Kind[] = [
  "message.added",
  "work.started",
  "work.waits",
  "work.ended",
  "turn.started",
  "text.delta",
  "cell.added",
  "cell.waiting",
  "cell.started",
  "cell.output",
  "cell.input",
  "cell.typed",
  "cell.finished",
  "feedback.given",
  "turn.ended",
  "loop.ended",
  "error",
  "sandbox.state",
  "files.changed",
  "rating.given",
  "chat.changed",
  "chat.branched",
  "sandbox.restarted",
  "sandbox.replayed",
];
