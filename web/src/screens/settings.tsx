// What this server is, how the page looks, and how chats come in from files.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, get } from "../api";
import { modelNames } from "../parts/composer";
import { IconButton } from "../parts/icons";
import { Limits } from "../parts/limits";
import { ScreenHead } from "../parts/screenhead";
import { go, keysShown, loadChats, picked, remember, say, server, theme, tried } from "../state";
import { number, seconds } from "../text/sizes";

interface Used {
  model: string;
  prompt_tokens: number;
  completion_tokens: number;
  seconds: number;
}

export function SettingsScreen(): VNode {
  const state = server.value;
  return (
    <main>
      <ScreenHead title="Settings" />
      <div class="screen">
        <section class="card">
          <h2>Page</h2>
          <label>
            Light or dark
            <select
              value={theme.value}
              onChange={(event) => {
                theme.value = event.currentTarget.value;
                remember("theme", theme.value);
              }}
            >
              <option value="system">as the system</option>
              <option value="light">light</option>
              <option value="dark">dark</option>
            </select>
          </label>
          <label>
            Model of new chats
            <select
              value={picked.value || state?.default_model || ""}
              onChange={(event) => {
                picked.value = event.currentTarget.value;
                remember("model", picked.value);
              }}
            >
              {modelNames().map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <div>
            <IconButton icon="keys" label="Keys" text onClick={() => (keysShown.value = true)} />
          </div>
        </section>
        <Import />
        {state && (
          <section class="card">
            <h2>Server</h2>
            <dl class="facts">
              <dt>Version</dt>
              <dd>{state.version}</dd>
              <dt>Isolation</dt>
              <dd>{state.isolation}</dd>
              <dt>Languages</dt>
              <dd>{state.languages.join(", ")}</dd>
              <Limits limits={state.limits} />
            </dl>
            <Usage />
          </section>
        )}
      </div>
    </main>
  );
}

function Usage(): VNode | null {
  const [models, setModels] = useState<Used[]>([]);
  useEffect(() => {
    void tried(get<{ models: Used[] }>("/api/usage")).then((found) => found && setModels(found.models));
  }, []);
  if (!models.length) return null;
  return (
    <table class="plain">
      <thead>
        <tr>
          {["Model", "Tokens read", "Written", "Seconds"].map((name) => (
            <th scope="col" key={name}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {models.map((each) => (
          <tr key={each.model}>
            <td>{each.model}</td>
            <td>{number(each.prompt_tokens)}</td>
            <td>{number(each.completion_tokens)}</td>
            <td>{seconds(each.seconds)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Import(): VNode {
  const chooser = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  const take = async (files: FileList | null): Promise<void> => {
    const file = files?.[0];
    if (!file) return;
    setBusy(true);
    const made = await tried(
      ask<{ chats: { id: string }[] }>("POST", `/api/import?name=${encodeURIComponent(file.name)}`, file),
    );
    setBusy(false);
    if (!made) return;
    await loadChats();
    say(made.chats.length === 1 ? "One chat came in." : `${made.chats.length} chats came in.`);
    if (made.chats[0]) go(`#/chat/${made.chats[0].id}`);
  };
  return (
    <section class="card">
      <h2>Import</h2>
      <p class="muted">A notebook (.ipynb), or dialogues as Code-Feedback (.jsonl), become chats.</p>
      <input
        ref={chooser}
        type="file"
        accept=".ipynb,.jsonl,.json"
        hidden
        aria-label="File to import"
        onChange={(event) => void take(event.currentTarget.files)}
      />
      <div>
        <button type="button" disabled={busy} onClick={() => chooser.current?.click()}>
          {busy ? "Reading …" : "Choose a file"}
        </button>
      </div>
    </section>
  );
}
