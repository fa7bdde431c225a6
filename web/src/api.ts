// What the page asks of the server: every call, and every error as one sentence.

export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface ChatInfo {
  id: string;
  title: string;
  model: string;
  created_at?: number;
  changed_at?: number;
  busy?: boolean;
  settings?: Record<string, unknown>;
  snippet?: string;
}

export interface ServerState {
  version: string;
  models: (string | { name: string; about?: string })[];
  default_model: string | null;
  isolation: string;
  limits: Record<string, unknown>;
  languages: string[];
}

/** Ask the server, and return what it answers as JSON; null for an empty answer. */
export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const raw = body instanceof Blob || typeof body === "string";
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-Codeloop"] = "1";
  if (body !== undefined && !raw) headers["Content-Type"] = "application/json";
  if (raw) headers["Content-Type"] = "application/octet-stream";
  const sent = body === undefined ? null : raw ? (body as BodyInit) : JSON.stringify(body);
  let answer: Response;
  try {
    answer = await fetch(path, { method, headers, body: sent, credentials: "same-origin" });
  } catch {
    throw new Refused(0, "unreachable", "The server does not answer. Is codeloop serve running?");
  }
  if (!answer.ok) throw await refusal(answer);
  const text = await answer.text();
  return (text ? JSON.parse(text) : null) as T;
}

async function refusal(answer: Response): Promise<Refused> {
  try {
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    return new Refused(answer.status, error.code, error.message);
  } catch {
    return new Refused(answer.status, "unknown", `The server answered ${answer.status}.`);
  }
}

export const get = <T>(path: string): Promise<T> => ask<T>("GET", path);
export const post = <T>(path: string, body: unknown = {}): Promise<T> => ask<T>("POST", path, body);

export const chatPath = (chat: string, rest = ""): string => `/api/chats/${encodeURIComponent(chat)}${rest}`;
export const filePath = (chat: string, name: string): string =>
  chatPath(chat, `/files/${name.split("/").map(encodeURIComponent).join("/")}`);
export const blobPath = (chat: string, hash: string): string => `/api/blobs/${encodeURIComponent(chat)}/${hash}`;
