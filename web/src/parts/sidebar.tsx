// The chats, found by their words; and the way to the other screens.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, chatPath, type ChatInfo } from "../api";
import { chats, go, loadChats, paletteShown, route, sidebar, tried } from "../state";
import { when } from "../text/sizes";
import { Icon, IconButton, type IconName } from "./icons";

const SCREENS: readonly [string, string, IconName][] = [
  ["compare", "Compare models", "compare"],
  ["data", "Data", "table"],
  ["settings", "Settings", "gear"],
];

export function Sidebar(): VNode {
  const [words, setWords] = useState("");
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => void loadChats(), []);
  const search = (now: string): void => {
    setWords(now);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => void loadChats(now), 150);
  };
  const again = (): void => void loadChats(words);
  const folders = foldersOf(chats.value);
  const shown = route.value.at === "chat" ? route.value.chat : null;
  const ofShown = folderOf(chats.value.find((chat) => chat.id === shown));
  return (
    <nav class="sidebar" aria-label="Chats">
      <div class="sidebar-top">
        <a class="brand" href="#/">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" />
            <path d="M12.500 10 7 16l5.500 6M19.500 10 25 16l-5.500 6" />
          </svg>
          codeloop
        </a>
        <IconButton icon="plus" label="New chat (Ctrl+Shift+O)" onClick={() => go("#/")} />
        <IconButton icon="menu" label="Hide the chats" onClick={() => (sidebar.value = false)} />
      </div>
      <label class="search">
        <Icon name="search" />
        <input
          type="search"
          id="search"
          placeholder="Search"
          aria-label="Search chats"
          value={words}
          onInput={(event) => search(event.currentTarget.value)}
        />
      </label>
      <ul class="chats">
        {folders.map((folder) => (
          <Folder key={folder} name={folder} again={again} open={words !== "" || folder === ofShown} />
        ))}
        {chats.value.filter((chat) => !folderOf(chat)).map((chat) => (
          <Row key={chat.id} chat={chat} again={again} />
        ))}
        {!chats.value.length && <li class="muted none">{words ? "Nothing found." : "No chats yet."}</li>}
      </ul>
      <ul class="screens">
        <li>
          <button type="button" onClick={() => { away(); paletteShown.value = true; }}>
            <Icon name="search" /> Do anything <kbd>Ctrl K</kbd>
          </button>
        </li>
        {SCREENS.map(([at, name, icon]) => (
          <li key={at}>
            <a href={`#/${at}`} aria-current={route.value.at === at ? "page" : undefined} onClick={away}>
              <Icon name={icon} /> {name}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function folderOf(chat: ChatInfo | undefined): string {
  return String(chat?.settings?.["folder"] ?? "");
}

/** The folders that hold a chat, by their names. */
function foldersOf(all: readonly ChatInfo[]): string[] {
  return [...new Set(all.map(folderOf))].filter(Boolean).sort((a, b) => a.localeCompare(b));
}

function Folder({ name, again, open }: { name: string; again: () => void; open: boolean }): VNode {
  const held = chats.value.filter((chat) => folderOf(chat) === name);
  return (
    <li>
      <details class="folder" open={open || undefined}>
        <summary>
          <Icon name="folder" /> <span class="chat-title">{name}</span> <span class="muted small">{held.length}</span>
        </summary>
        <ul aria-label={`Chats in ${name}`}>
          {held.map((chat) => (
            <Row key={chat.id} chat={chat} again={again} />
          ))}
        </ul>
      </details>
    </li>
  );
}

/** On a phone the list lies over the chat, and goes when one is chosen. */
function away(): void {
  if (innerWidth <= 760) sidebar.value = false;
}

function Row({ chat, again }: { chat: ChatInfo; again: () => void }): VNode {
  const [asked, setAsked] = useState<"title" | "folder" | null>(null);
  const now = route.value;
  const here = now.at === "chat" && now.chat === chat.id;
  const title = chat.title || "chat";
  const change = async (what: "title" | "folder", value: string): Promise<void> => {
    const text = value.trim();
    if (what === "folder") await tried(ask("PATCH", chatPath(chat.id), { settings: { folder: text } }));
    else if (text) await tried(ask("PATCH", chatPath(chat.id), { title: text }));
    again();
  };
  const remove = async (): Promise<void> => {
    if (!confirm(`Delete "${chat.title || "this chat"}" with its files?`)) return;
    await tried(ask("DELETE", chatPath(chat.id)));
    if (here) go("#/");
    again();
  };
  if (asked !== null)
    return (
      <OneLine
        label={asked === "title" ? "Title" : "Folder (empty: none)"}
        value={asked === "title" ? chat.title : folderOf(chat)}
        known={asked === "folder" ? foldersOf(chats.value) : []}
        onDone={(value) => {
          setAsked(null);
          if (value !== null) void change(asked, value);
        }}
      />
    );
  return (
    <li class="chat-row">
      <a href={`#/chat/${chat.id}`} aria-current={here ? "page" : undefined} onClick={away} title={chat.title}>
        <span class="chat-title">{chat.title || "New chat"}</span>
        {chat.changed_at !== undefined && <span class="muted small">{when(chat.changed_at)}</span>}
      </a>
      <span class="chat-tools">
        <IconButton icon="edit" label={`Rename ${title}`} onClick={() => setAsked("title")} />
        <IconButton icon="folder" label={`Put ${title} into a folder`} onClick={() => setAsked("folder")} />
        <IconButton icon="trash" label={`Delete ${title}`} onClick={() => void remove()} />
      </span>
    </li>
  );
}

interface LineProps {
  label: string;
  value: string;
  known: readonly string[]; // offered while one types
  onDone: (value: string | null) => void; // null: as it was
}

/** A line in the place of a chat, written and left. */
function OneLine({ label, value, known, onDone }: LineProps): VNode {
  const field = useRef<HTMLInputElement>(null);
  const over = useRef(false);
  useEffect(() => field.current?.focus(), []);
  const done = (now: string | null): void => {
    if (!over.current) onDone(now);
    over.current = true;
  };
  return (
    <li>
      <input
        class="rename"
        type="text"
        ref={field}
        aria-label={label}
        placeholder={label}
        maxLength={label === "Title" ? 200 : 60}
        list="folders"
        defaultValue={value}
        onBlur={(event) => done(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") done(event.currentTarget.value);
          if (event.key === "Escape") done(null);
        }}
      />
      <datalist id="folders">
        {known.map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
    </li>
  );
}
