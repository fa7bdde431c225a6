// What lies beside a chat: its files, its variables, what it took, its sandbox.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, chatPath, filePath, get } from "../api";
import { act, drawer, server, tried, type Drawer as Name } from "../state";
import { bytes, number, plural, seconds } from "../text/sizes";
import type { View } from "../view";
import { upload } from "./composer";
import { DRAWERS, restart } from "./head";
import { Icon, IconButton } from "./icons";
import { Limits } from "./limits";
import { Timeline } from "./timeline";

interface Variable {
  name: string;
  type: string;
  value: string;
  shape: number[];
  size_bytes: number;
}

export function Drawer({ chat, view }: { chat: string; view: View }): VNode | null {
  const name = drawer.value;
  if (!name) return null;
  return (
    <aside class="drawer" aria-label="Beside the chat">
      <div class="drawer-top">
        <div class="tabs" role="group" aria-label="What is shown">
          {DRAWERS.map(([each, label]) => (
            <button type="button" class="tab" key={each} aria-pressed={each === name} onClick={() => (drawer.value = each)}>
              {label}
            </button>
          ))}
        </div>
        <span class="grow" />
        <IconButton icon="close" label="Close" onClick={() => (drawer.value = null)} />
      </div>
      <div class="drawer-body">{body(name, chat, view)}</div>
    </aside>
  );
}

function body(name: Name, chat: string, view: View): VNode {
  switch (name) {
    case "files":
      return <Files chat={chat} view={view} />;
    case "variables":
      return <Variables chat={chat} view={view} />;
    case "usage":
      return <Usage chat={chat} view={view} />;
    case "timeline":
      return <Timeline chat={chat} view={view} />;
    case "sandbox":
      return <Sandbox chat={chat} view={view} />;
  }
}

function Files({ chat, view }: { chat: string; view: View }): VNode {
  const chooser = useRef<HTMLInputElement>(null);
  return (
    <div
      class="files-list"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void upload(chat, event.dataTransfer?.files ?? []);
      }}
    >
      <input ref={chooser} type="file" multiple hidden onChange={(event) => void upload(chat, event.currentTarget.files ?? [])} />
      <IconButton icon="plus" label="Upload" text onClick={() => chooser.current?.click()} />
      <ul>
        {view.files.map((file) => (
          <li key={file.name}>
            <a href={filePath(chat, file.name)} download={file.name.split("/").pop()} title={`Download ${file.name}`}>
              <Icon name="file" />
              <span class="name">{file.name}</span>
              <span class="muted small">{bytes(file.bytes)}</span>
            </a>
            <IconButton
              icon="trash"
              label={`Delete ${file.name}`}
              onClick={() => {
                if (confirm(`Delete ${file.name}?`)) void tried(ask("DELETE", filePath(chat, file.name)));
              }}
            />
          </li>
        ))}
      </ul>
      {!view.files.length && <p class="muted">No files. Drop some here, or let the code write some.</p>}
    </div>
  );
}

function Variables({ chat, view }: { chat: string; view: View }): VNode {
  const [found, setFound] = useState<Variable[] | null>(null);
  const runs = Object.values(view.cells).filter((cell) => cell.result).length;
  useEffect(() => {
    if (view.running !== null) return;
    void tried(get<{ variables: Variable[]; busy?: boolean }>(chatPath(chat, "/variables"))).then((answer) => answer && !answer.busy && setFound(answer.variables));
  }, [chat, runs, view.running, view.sandbox.state === "idle"]);
  if (!found?.length) return <p class="muted">{found ? "No variables yet." : "Loading …"}</p>;
  return (
    <ul class="variables">
      {found.map((each) => (
        <li key={each.name}>
          <code class="name">{each.name}</code>
          <span class="muted small">
            {each.type}
            {each.shape.length > 0 && ` ${each.shape.join(" × ")}`}
          </span>
          <code class="value" title={each.value}>
            {each.value}
          </code>
        </li>
      ))}
    </ul>
  );
}

function Usage({ chat, view }: { chat: string; view: View }): VNode {
  const turns = Object.values(view.turns);
  return (
    <>
      <dl class="facts">
        <dt>Tokens read</dt>
        <dd>{number(view.tokens.prompt)}</dd>
        <dt>Tokens written</dt>
        <dd>{number(view.tokens.completion)}</dd>
        <dt>Model</dt>
        <dd>{seconds(view.modelSeconds)}</dd>
        <dt>Code</dt>
        <dd>{seconds(view.runSeconds)}</dd>
        <dt>Cost</dt>
        <dd>n/a</dd>
      </dl>
      <TurnLimit chat={chat} turns={Number(view.settings["turns"] ?? server.value?.limits["turns"] ?? 4)} />
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Turn</th>
            <th scope="col">Read</th>
            <th scope="col">Written</th>
            <th scope="col">First</th>
            <th scope="col">All</th>
          </tr>
        </thead>
        <tbody>
          {turns.map((turn, at) => (
            <tr key={turn.id} title={turn.model}>
              <td>{at + 1}</td>
              <td>{turn.ended ? number(turn.ended.usage.prompt_tokens) : "…"}</td>
              <td>{turn.ended ? number(turn.ended.usage.completion_tokens) : "…"}</td>
              <td>{turn.ended?.first_token_s == null ? "–" : seconds(turn.ended.first_token_s)}</td>
              <td>{turn.ended ? seconds(turn.ended.seconds) : "…"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function TurnLimit({ chat, turns }: { chat: string; turns: number }): VNode {
  const change = (value: number): void => {
    if (value >= 1 && value <= 20) void tried(ask("PATCH", chatPath(chat), { settings: { turns: value } }));
  };
  return (
    <label class="inline-field">
      Turns for a request, at most
      <input type="number" min={1} max={20} value={turns} onChange={(event) => change(event.currentTarget.valueAsNumber)} />
    </label>
  );
}

const LEVELS: Readonly<Record<string, string>> = {
  namespaces: "Own namespaces: no network, no files of this machine, no other processes.",
  landlock: "Landlock and limits: weaker than namespaces, no files of this machine.",
  container: "Trusts the container around it.",
  none: "Nothing stands between the code and this machine.",
};

function Sandbox({ chat, view }: { chat: string; view: View }): VNode {
  const { state, isolation, memory_bytes: memory, disk_bytes: disk } = view.sandbox;
  const level = isolation || server.value?.isolation || "";
  return (
    <>
      <dl class="facts">
        <dt>State</dt>
        <dd>{state}</dd>
        <dt>Isolation</dt>
        <dd>{level || "–"}</dd>
        <dt>Memory</dt>
        <dd>{memory ? bytes(memory) : "–"}</dd>
        <dt>Files</dt>
        <dd>{disk ? bytes(disk) : plural(view.files.length, "file")}</dd>
        <dt>Network</dt>
        <dd>off</dd>
      </dl>
      <p class="muted">{LEVELS[level] ?? ""}</p>
      <div class="row">
        {view.running !== null && <IconButton icon="stop" label="Interrupt" text onClick={() => void act(chat, "/interrupt")} />}
        <button type="button" title="Empty: no variables; files that you put stay" onClick={() => restart(chat, "restart")}>
          Restart
        </button>
        <button type="button" title="Anew, and all cells run again" onClick={() => restart(chat, "replay")}>
          Restart and replay
        </button>
      </div>
      <h3>Limits</h3>
      <dl class="facts">
        <Limits limits={server.value?.limits ?? {}} />
      </dl>
    </>
  );
}
