// The chat: what was said and run, what is going on, and where one writes.
import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { act, chats, link, newChat, ownCell, server, view } from "../state";
import { follow } from "../stream";
import { EMPTY } from "../view";
import { Working } from "../parts/banner";
import { Editor } from "../parts/code";
import { Composer, writeCell } from "../parts/composer";
import { Dialogue } from "../parts/dialogue";
import { Drawer } from "../parts/drawer";
import { Head } from "../parts/head";

const IDEAS = [
  "Plot a damped oscillation and mark where it first stays below 5 %.",
  "Make a table of the primes below 100 with their gaps, largest gap first.",
  "Read the file that I attach, and tell me what is odd about it.",
];

export function ChatScreen({ chat }: { chat: string | null }): VNode {
  useEffect(() => {
    view.value = EMPTY;
    if (!chat) return;
    return follow(
      chat,
      (now) => (view.value = now),
      (now) => (link.value = now),
    );
  }, [chat]);
  const now = view.value;
  const working = now.work !== null;
  const title = now.title || chats.value.find((each) => each.id === chat)?.title || "";
  useEffect(() => {
    document.title = title ? `${title} · codeloop` : "codeloop";
  }, [title]);
  return (
    <>
      <main class="chat">
        <Head chat={chat} title={title} view={now} />
        <Scroll seq={now.seq} chat={chat}>
          {!chat && <Welcome />}
          {chat && link.value === "gone" && <p class="muted none">This chat is not there.</p>}
          {chat && <Dialogue chat={chat} view={now} />}
          {chat && <OwnCell chat={chat} busy={working} />}
        </Scroll>
        <div class="below">
          {chat && working && <Working chat={chat} view={now} />}
          <Composer chat={chat} working={working} />
        </div>
      </main>
      {chat && <Drawer chat={chat} view={now} />}
    </>
  );
}

/** Stays at the end while the chat grows, unless the person has scrolled up. */
function Scroll({ seq, chat, children }: { seq: number; chat: string | null; children: unknown }): VNode {
  const box = useRef<HTMLDivElement>(null);
  const stays = useRef(true);
  const before = useRef({ scrollTop: 0, scrollHeight: 0, clientHeight: 0 });
  const [away, setAway] = useState(false);
  const end = (): void => {
    if (box.current) box.current.scrollTop = 1e9;
  };
  useEffect(() => {
    stays.current = true;
  }, [chat]);
  useLayoutEffect(() => {
    if (stays.current) end();
  }, [seq]);
  useEffect(() => {
    const inner = box.current?.firstElementChild;
    if (!inner) return;
    const watch = new ResizeObserver(() => {
      if (stays.current) end();
    });
    watch.observe(inner);
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return (
    <div
      class="scroll"
      ref={box}
      tabIndex={0}
      role="region"
      aria-label="Chat"
      onScroll={(event) => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        const last = before.current;
        const same = last.scrollHeight === scrollHeight && last.clientHeight === clientHeight;
        if (scrollHeight - scrollTop - clientHeight < 60) stays.current = true;
        else if (same && scrollTop < last.scrollTop) stays.current = false; // the person scrolled, not the page
        before.current = { scrollTop, scrollHeight, clientHeight };
        setAway(!stays.current);
      }}
    >
      <div class="column">{children as VNode}</div>
      {away && (
        <button
          type="button"
          class="to-end"
          onClick={() => {
            stays.current = true;
            end();
          }}
        >
          ↓ to the end
        </button>
      )}
    </div>
  );
}

function Welcome(): VNode {
  const state = server.value;
  const idea = (text: string): void => {
    const area = document.getElementById("composer");
    if (!(area instanceof HTMLTextAreaElement)) return;
    area.value = text;
    area.dispatchEvent(new Event("input", { bubbles: true }));
    area.focus();
  };
  return (
    <div class="welcome">
      <h2>Ask for something that code can do.</h2>
      <p class="muted">
        The model writes code, a sandbox on this machine runs it, and what came back goes to the model until it works.
        {state && ` Isolation: ${state.isolation}. No network.`}
      </p>
      <ul>
        {IDEAS.map((text) => (
          <li key={text}>
            <button type="button" onClick={() => idea(text)}>
              {text}
            </button>
          </li>
        ))}
        <li class="aside">
          <button
            type="button"
            onClick={() => void newChat("Notebook").then((made) => made && writeCell(made.id))}
          >
            No model: use it as a notebook.
          </button>
        </li>
      </ul>
      <p class="muted small tips wide">
        Files come in by dropping or pasting them. <kbd>Ctrl K</kbd> does anything, <kbd>?</kbd> shows the keys.
      </p>
    </div>
  );
}

/** A cell that a person writes; open when asked for. */
function OwnCell({ chat, busy }: { chat: string; busy: boolean }): VNode | null {
  const [language, setLanguage] = useState("python");
  const written = ownCell.value;
  if (written?.chat !== chat) return null;
  const { code } = written;
  const setCode = (now: string): void => {
    ownCell.value = { chat, code: now };
  };
  const run = async (): Promise<void> => {
    if (code.trim() && (await act(chat, "/cells", { language, code }))) setCode("");
  };
  const languages = server.value?.languages ?? ["python"];
  return (
    <section class="cell own" aria-label="Your own cell">
      <header class="cell-head">
        <select aria-label="Language" value={language} onChange={(event) => setLanguage(event.currentTarget.value)}>
          {[...new Set(["python", ...languages])].map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <span class="grow" />
        <button type="button" class="quiet" onClick={() => (ownCell.value = null)}>
          Close
        </button>
        <button type="button" class="primary" disabled={busy || !code.trim()} onClick={() => void run()}>
          Run
        </button>
      </header>
      <Editor code={code} language={language} label="Your own code" onChange={setCode} onRun={() => void run()} onLeave={() => (ownCell.value = null)} />
    </section>
  );
}
