// The palette: all that the page can do, and every chat, found by a few letters.
import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { chatPath, get, type ChatInfo } from "../api";
import { act, chats, drawer, go, keysShown, mode, newChat, paletteShown, picked, remember, route, sidebar, theme, tried, view } from "../state";
import { when } from "../text/sizes";
import { MODES, modelNames, pickModel, writeCell } from "./composer";
import { DRAWERS, EXPORTS, restart } from "./head";
import { Icon, type IconName } from "./icons";

interface Deed {
  name: string;
  icon: IconName;
  about?: string; // a key, or when a chat was changed
  act: () => void;
}

/** What can be done with the chat that is shown. */
function ofChat(chat: string): Deed[] {
  const busy = view.value.work !== null;
  return [
    ...(busy ? [{ name: "Stop", icon: "stop", about: "Esc Esc", act: () => void act(chat, "/stop") } as const] : []),
    { name: "Write code yourself", icon: "cell", about: "n", act: () => writeCell(chat) },
    ...DRAWERS.map(([name, label, icon]) => ({ name: `Show ${label.toLowerCase()}`, icon, about: label[0]?.toLowerCase() ?? "", act: () => (drawer.value = name) })),
    ...EXPORTS.map(([format, name, about]) => ({
      ...{ name: `Export as ${name}`, icon: "download", about } as const,
      act: () => save(chatPath(chat, `/export?format=${format}`)),
    })),
    { name: "Restart the sandbox", icon: "chip", about: "variables go", act: () => restart(chat, "restart") },
    { name: "Restart the sandbox and replay", icon: "chip", about: "variables are back", act: () => restart(chat, "replay") },
  ];
}

function save(path: string): void {
  const link = document.createElement("a");
  link.href = path;
  link.download = "";
  link.click();
}

function deeds(): Deed[] {
  const at = route.value;
  const chat = at.at === "chat" ? at.chat : null;
  return [
    { name: "New chat", icon: "plus", about: "Ctrl+Shift+O", act: () => go("#/") },
    { name: "New notebook, without a model", icon: "cell", act: () => void newChat("Notebook").then((made) => made && writeCell(made.id)) },
    ...(chat ? ofChat(chat) : []),
    ...modelNames().map((name) => ({ name: `Model: ${name}`, icon: "gear", about: name === picked.value ? "chosen" : "", act: () => pickModel(chat, name) }) as const),
    ...Object.entries(MODES).map(([name, about]) => ({ name: about, icon: "play", about: name, act: () => remember("mode", (mode.value = name)) }) as const),
    { name: "Compare models", icon: "compare", act: () => go("#/compare") },
    { name: "Data: rated chats", icon: "table", act: () => go("#/data") },
    { name: "Settings, import", icon: "gear", act: () => go("#/settings") },
    ...["light", "dark", "system"].map((name) => ({ name: `Theme: ${name}`, icon: "gear", act: () => remember("theme", (theme.value = name)) }) as const),
    { name: "Show or hide the chats", icon: "menu", about: "b", act: () => (sidebar.value = !sidebar.value) },
    { name: "Keys", icon: "keys", about: "?", act: () => (keysShown.value = true) },
  ];
}

function fits(name: string, words: string): boolean {
  const low = name.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => low.includes(word));
}

/** The chats that hold these words, as soon as the server has found them. */
function useFound(words: string): ChatInfo[] {
  const [found, setFound] = useState<ChatInfo[]>(chats.value.slice(0, 5));
  useEffect(() => {
    if (!words.trim()) return setFound(chats.value.slice(0, 5));
    let over = false;
    const timer = setTimeout(() => {
      void tried(get<{ chats: ChatInfo[] }>(`/api/chats?limit=8&q=${encodeURIComponent(words)}`)).then((told) => {
        if (told && !over) setFound(told.chats);
      });
    }, 120);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [words]);
  return found;
}

export function Palette(): VNode | null {
  return paletteShown.value ? <Open /> : null;
}

function Open(): VNode {
  const box = useRef<HTMLDialogElement>(null);
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const found = useFound(words);
  useLayoutEffect(() => box.current?.showModal(), []); // at once: what is typed next is for it
  useEffect(() => setAt(0), [words]);
  useEffect(() => box.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }), [at]);
  const ofChats = found.map((chat): Deed => {
    const about = chat.snippet || (chat.changed_at === undefined ? "" : when(chat.changed_at));
    return { name: chat.title || "New chat", icon: "search", about, act: () => go(`#/chat/${chat.id}`) };
  });
  const all = [...deeds().filter((deed) => fits(deed.name, words)), ...ofChats];
  const close = (): void => void (paletteShown.value = false);
  const take = (deed: Deed | undefined): void => {
    close();
    deed?.act();
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") setAt(Math.min(all.length - 1, at + 1));
    else if (event.key === "ArrowUp") setAt(Math.max(0, at - 1));
    else if (event.key === "Enter" && !event.isComposing) take(all[at]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <dialog class="palette" ref={box} aria-label="Do anything" onClose={close} onClick={(event) => event.target === box.current && close()}>
      <input
        type="search"
        list={undefined}
        role="combobox"
        aria-label="What to do, or which chat to open"
        aria-expanded
        aria-controls="deeds"
        aria-activedescendant={all.length ? `deed-${at}` : undefined}
        placeholder="What to do, or which chat to open"
        value={words}
        onInput={(event) => setWords(event.currentTarget.value)}
        onKeyDown={keys}
      />
      <ul id="deeds" role="listbox" aria-label="What there is">
        {all.map((deed, index) => (
          <li key={index} id={`deed-${index}`} role="option" aria-selected={index === at} onClick={() => take(deed)} onMouseMove={() => index !== at && setAt(index)}>
            <Icon name={deed.icon} />
            <span class="name">{deed.name}</span>
            <span class="muted small about">{deed.about}</span>
          </li>
        ))}
      </ul>
      {!all.length && <p class="muted none">Nothing found.</p>}
    </dialog>
  );
}
