// The keyboard: what each key does, in one table that is also what `?` shows.
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { act, drawer, go, keysShown, paletteShown, route, sidebar, view } from "../state";
import { writeCell } from "./composer";
import { IconButton } from "./icons";

const KEYS: readonly [string, string][] = [
  ["Enter", "send; Shift+Enter for a new line"],
  ["/", "write a message"],
  ["Ctrl+K", "do anything, or find a chat"],
  ["Ctrl+Shift+O", "new chat"],
  ["Esc Esc", "stop the model, or the code that runs"],
  ["j, k", "next cell, cell before"],
  ["e, r, c", "in a cell: edit, run again, copy"],
  ["1 … 9, d", "in a cell: the attempts; the difference to the one before"],
  ["Ctrl+Enter", "in the editor: run"],
  ["n", "write code yourself"],
  ["f, v, u, t, s", "files, variables, usage, timeline, sandbox"],
  ["b", "show or hide the chats"],
  ["?", "these keys"],
];

const DRAWER = { f: "files", v: "variables", u: "usage", t: "timeline", s: "sandbox" } as const;

function writes(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable);
}

let escaped = 0;

function onEscape(): void {
  if (keysShown.value) keysShown.value = false;
  const now = performance.now();
  const at = route.value;
  const busy = view.value.work !== null;
  if (now - escaped < 700 && busy && at.at === "chat" && at.chat) void act(at.chat, view.value.running === null ? "/stop" : "/interrupt");
  escaped = now;
}

function step(by: number): void {
  const cells = [...document.querySelectorAll<HTMLElement>("[data-cell]")];
  const now = document.activeElement?.closest<HTMLElement>("[data-cell]");
  const at = now ? cells.indexOf(now) + by : by > 0 ? 0 : cells.length - 1;
  const next = cells[Math.max(0, Math.min(cells.length - 1, at))];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

function focus(id: string): void {
  document.getElementById(id)?.focus();
}

function plainKey(key: string): boolean {
  if (key in DRAWER) {
    const name = DRAWER[key as keyof typeof DRAWER];
    drawer.value = drawer.value === name ? null : name;
    return true;
  }
  const actions: Record<string, () => void> = {
    "?": () => (keysShown.value = !keysShown.value),
    "/": () => focus("composer"),
    j: () => step(1),
    k: () => step(-1),
    n: () => {
      if (route.value.at === "chat" && route.value.chat) writeCell(route.value.chat);
    },
    b: () => (sidebar.value = !sidebar.value),
  };
  actions[key]?.();
  return key in actions;
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented) return;
  const control = event.ctrlKey || event.metaKey;
  let done = false;
  if (event.key === "Escape") onEscape();
  else if (control && event.key.toLowerCase() === "k") {
    paletteShown.value = !paletteShown.value;
    done = true;
  } else if (control && event.shiftKey && event.key.toLowerCase() === "o") {
    go("#/");
    done = true;
  } else if (!control && !event.altKey && !writes(event.target)) done = plainKey(event.key);
  if (done) event.preventDefault();
}

export function Keys(): VNode | null {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  useEffect(() => {
    if (keysShown.value) box.current?.showModal();
  }, [keysShown.value]);
  if (!keysShown.value) return null;
  return (
    <dialog class="keys" ref={box} aria-label="Keys" onClose={() => (keysShown.value = false)}>
      <div class="row">
        <h2>Keys</h2>
        <span class="grow" />
        <IconButton icon="close" label="Close" onClick={() => (keysShown.value = false)} />
      </div>
      <dl class="facts">
        {KEYS.map(([key, about]) => (
          <>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{about}</dd>
          </>
        ))}
      </dl>
    </dialog>
  );
}
