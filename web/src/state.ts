// What the page holds beside a chat's events: where it is, what is open, what to tell the person.
import { signal } from "@preact/signals";
import { chatPath, get, post, Refused, type ChatInfo, type ServerState } from "./api";
import type { Link } from "./stream";
import { EMPTY, type View } from "./view";

export type Drawer = "files" | "variables" | "usage" | "timeline" | "sandbox";

export type Route =
  | { at: "chat"; chat: string | null }
  | { at: "compare"; compare: string | null }
  | { at: "data" }
  | { at: "settings" };

export const route = signal<Route>(routeOf(location.hash));
export const server = signal<ServerState | null>(null);
export const locked = signal(false); // the server wants a token
export const chats = signal<ChatInfo[]>([]);
export const view = signal<View>(EMPTY);
export const link = signal<Link>("connecting");
export const drawer = signal<Drawer | null>(null);
export const sidebar = signal(innerWidth > 760);
export const ownCell = signal<{ chat: string; code: string } | null>(null); // what a person writes
export const keysShown = signal(false);
export const paletteShown = signal(false);
export const notices = signal<{ id: number; text: string; bad: boolean }[]>([]);
export const theme = signal(remembered("theme") ?? "system");
export const mode = signal(remembered("mode") ?? "auto");
export const picked = signal<string>(remembered("model") ?? ""); // the model for new chats

function remembered(name: string): string | null {
  try {
    return localStorage.getItem(`codeloop.${name}`);
  } catch {
    return null; // a browser that keeps nothing
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`codeloop.${name}`, value);
  } catch {
    // the choice lasts until the page is closed
  }
}

export function routeOf(hash: string): Route {
  const [at, id] = hash.replace(/^#\/?/, "").split("/");
  switch (at) {
    case "compare":
      return { at, compare: id || null };
    case "data":
    case "settings":
      return { at };
    default:
      return { at: "chat", chat: (at === "chat" && id) || null };
  }
}

export function go(hash: string): void {
  location.hash = hash;
}

let notice = 0;

/** Say something to the person for a while. */
export function say(text: string, bad = false): void {
  const id = ++notice;
  notices.value = [...notices.value.slice(-3), { id, text, bad }];
  setTimeout(() => {
    notices.value = notices.value.filter((each) => each.id !== id);
  }, bad ? 9000 : 4000);
}

/** Wait for what was asked of the server; tell the person if it was refused. Returns null then. */
export async function tried<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) locked.value = true;
    else say(error instanceof Error ? error.message : String(error), true);
    return null;
  }
}

export async function loadServer(): Promise<void> {
  server.value = await tried(get<ServerState>("/api/state"));
}

let asked = 0;

export async function loadChats(words = ""): Promise<void> {
  const mine = ++asked;
  const found = await tried(get<{ chats: ChatInfo[] }>(`/api/chats?limit=200&q=${encodeURIComponent(words)}`));
  if (found && mine === asked) chats.value = found.chats;
}

/** Make a chat and show it. */
export async function newChat(title = ""): Promise<ChatInfo | null> {
  const model = picked.value || server.value?.default_model;
  const made = await tried(post<ChatInfo>("/api/chats", { ...(title && { title }), ...(model && { model }) }));
  if (made) {
    go(`#/chat/${made.id}`);
    void loadChats();
  }
  return made;
}

/** Ask something of the chat that is shown. */
export function act<T>(chat: string, rest: string, body: unknown = {}): Promise<T | null> {
  return tried(post<T>(chatPath(chat, rest), body));
}

/** Go on from an event of a chat in a chat of its own, which is shown; returns its name. */
export async function branch(chat: string, seq: number): Promise<string | null> {
  const made = await act<{ id: string }>(chat, "/branch", { seq });
  if (!made) return null;
  go(`#/chat/${made.id}`);
  void loadChats();
  return made.id;
}
