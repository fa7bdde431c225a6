// Where a person writes: text, files by button, drag and paste, the model, and what is to be run.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, chatPath, filePath } from "../api";
import { act, chats, loadChats, mode, newChat, ownCell, picked, remember, say, server, tried, view } from "../state";
import { Icon, IconButton } from "./icons";

export const MODES = {
  auto: "Run code at once",
  confirm: "Ask before each run",
  ask: "Only answer, run nothing",
} as const;

/** Names of models, as the server tells them. */
export function modelNames(): string[] {
  return (server.value?.models ?? []).map((each) => (typeof each === "string" ? each : each.name));
}

/** Put files into the chat's work directory; returns the names that it took. */
export async function upload(chat: string, files: Iterable<File>): Promise<string[]> {
  const taken: string[] = [];
  for (const file of files) {
    const name = file.name || `pasted-${Date.now()}.${file.type.split("/")[1] ?? "bin"}`;
    const put = await tried(ask<{ name?: string } | null>("PUT", filePath(chat, name), file));
    if (put !== null) taken.push(put?.name ?? name);
  }
  if (taken.length) say(taken.length === 1 ? `${taken[0]} is there.` : `${taken.length} files are there.`);
  return taken;
}

export function Composer({ chat, working }: { chat: string | null; working: boolean }): VNode {
  const [text, setText] = useState("");
  const [files, setFiles] = useState<string[]>([]);
  const [over, setOver] = useState(false);
  const [sending, setSending] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const chooser = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (innerWidth > 760) area.current?.focus();
  }, [chat]);
  useEffect(() => {
    const box = area.current;
    if (!box) return;
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 260)}px`;
  }, [text]);
  const here = async (): Promise<string | null> => chat ?? (await newChat())?.id ?? null;
  const send = async (): Promise<void> => {
    const said = text.trim();
    if (!said || sending || working) return;
    setSending(true);
    const to = await here();
    if (to && (await act(to, "/messages", { text: said, files, mode: mode.value }))) {
      setText("");
      setFiles([]);
      setTimeout(() => void loadChats(), 300);
    }
    setSending(false);
  };
  const attach = async (given: Iterable<File>): Promise<void> => {
    const all = [...given];
    const to = all.length ? await here() : null;
    if (!to) return;
    const taken = await upload(to, all);
    setFiles((before) => [...new Set([...before, ...taken])]);
  };
  return (
    <form
      class={`composer ${over ? "over" : ""}`}
      aria-label="Write to the model"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void attach(event.dataTransfer?.files ?? []);
      }}
    >
      {files.length > 0 && (
        <div class="chips">
          {files.map((name) => (
            <button type="button" class="chip" key={name} title="Do not mention it" onClick={() => setFiles(files.filter((each) => each !== name))}>
              <Icon name="file" /> {name} <Icon name="close" />
            </button>
          ))}
        </div>
      )}
      <textarea
        ref={area}
        id="composer"
        rows={1}
        aria-label="Message"
        placeholder={over ? "Drop files here" : chat ? "Go on …" : "What shall the code do?"}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onPaste={(event) => {
          const pasted = [...(event.clipboardData?.files ?? [])];
          if (!pasted.length) return;
          event.preventDefault();
          void attach(pasted);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          void send();
        }}
      />
      <div class="composer-row">
        <input ref={chooser} type="file" multiple hidden onChange={(event) => void attach(event.currentTarget.files ?? [])} />
        <IconButton icon="clip" label="Attach files" onClick={() => chooser.current?.click()} />
        <IconButton icon="cell" label="Write code yourself" onClick={() => void here().then((to) => to && writeCell(to))} />
        <select
          aria-label="What is run"
          title={MODES[mode.value as keyof typeof MODES]}
          value={mode.value}
          onChange={(event) => {
            mode.value = event.currentTarget.value;
            remember("mode", mode.value);
          }}
        >
          {Object.entries(MODES).map(([name, about]) => (
            <option key={name} value={name}>
              {`${name[0]?.toUpperCase()}${name.slice(1)}: ${about.toLowerCase()}`}
            </option>
          ))}
        </select>
        <ModelPicker chat={chat} />
        <span class="grow" />
        {working && chat ? (
          <IconButton icon="stop" label="Stop" class="send danger" onClick={() => void act(chat, "/stop")} />
        ) : (
          <button type="submit" class="icon-button send primary" aria-label="Send" title="Send (Enter)" disabled={!text.trim() || sending}>
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}

function ModelPicker({ chat }: { chat: string | null }): VNode {
  const names = modelNames();
  const now = (chat && (view.value.model || chats.value.find((each) => each.id === chat)?.model)) || picked.value || server.value?.default_model || "";
  const all = now && !names.includes(now) ? [now, ...names] : names;
  return (
    <select class="model-picker" aria-label="Model" value={now} onChange={(event) => pickModel(chat, event.currentTarget.value)}>
      {!all.length && <option value="">no model</option>}
      {all.map((name) => (
        <option key={name} value={name}>
          {name.length > 34 ? `…${name.slice(-32)}` : name}
        </option>
      ))}
    </select>
  );
}

/** Take a model for the chat that is shown, and for new ones. */
export function pickModel(chat: string | null, name: string): void {
  picked.value = name;
  remember("model", name);
  if (chat) void tried(ask("PATCH", chatPath(chat), { model: name }));
}

/** Open the place for a cell of one's own, under the chat. */
export function writeCell(chat: string): void {
  if (ownCell.value?.chat !== chat) ownCell.value = { chat, code: "" };
}
