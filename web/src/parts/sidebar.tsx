// The chats, found by their words; and the way to the other screens.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, chatPath, type ChatInfo } from "../api";
import { chats, go, loadChats, route, sidebar, tried } from "../state";
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
        {chats.value.map((chat) => (
          <Row key={chat.id} chat={chat} again={() => void loadChats(words)} />
        ))}
        {!chats.value.length && <li class="muted none">{words ? "Nothing found." : "No chats yet."}</li>}
      </ul>
      <ul class="screens">
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

/** On a phone the list lies over the chat, and goes when one is chosen. */
function away(): void {
  if (innerWidth <= 760) sidebar.value = false;
}

function Row({ chat, again }: { chat: ChatInfo; again: () => void }): VNode {
  const [name, setName] = useState<string | null>(null);
  const now = route.value;
  const here = now.at === "chat" && now.chat === chat.id;
  const rename = async (): Promise<void> => {
    if (name?.trim()) await tried(ask("PATCH", chatPath(chat.id), { title: name.trim() }));
    setName(null);
    again();
  };
  const remove = async (): Promise<void> => {
    if (!confirm(`Delete "${chat.title || "this chat"}" with its files?`)) return;
    await tried(ask("DELETE", chatPath(chat.id)));
    if (here) go("#/");
    again();
  };
  if (name !== null)
    return (
      <li>
        <input
          class="rename"
          aria-label="Title"
          value={name}
          ref={(field) => field?.focus()}
          onInput={(event) => setName(event.currentTarget.value)}
          onBlur={() => void rename()}
          onKeyDown={(event) => {
            if (event.key === "Enter") void rename();
            if (event.key === "Escape") setName(null);
          }}
        />
      </li>
    );
  return (
    <li class="chat-row">
      <a href={`#/chat/${chat.id}`} aria-current={here ? "page" : undefined} onClick={away} title={chat.title}>
        <span class="chat-title">{chat.title || "New chat"}</span>
        {chat.changed_at !== undefined && <span class="muted small">{when(chat.changed_at)}</span>}
      </a>
      <span class="chat-tools">
        <IconButton icon="edit" label={`Rename ${chat.title || "chat"}`} onClick={() => setName(chat.title)} />
        <IconButton icon="trash" label={`Delete ${chat.title || "chat"}`} onClick={() => void remove()} />
      </span>
    </li>
  );
}
