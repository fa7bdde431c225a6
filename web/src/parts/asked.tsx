// A line that the code asks for with input(), typed here; a yes or no, pressed.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { act } from "../state";

const YES_OR_NO = /\s*\[y\/N\]\s*$/;

export function Asked({ chat, prompt }: { chat: string; prompt: string }): VNode {
  return YES_OR_NO.test(prompt) ? <Choice chat={chat} question={prompt.replace(YES_OR_NO, "")} /> : <Line chat={chat} prompt={prompt} />;
}

function Choice({ chat, question }: { chat: string; question: string }): VNode {
  const first = useRef<HTMLButtonElement>(null);
  useEffect(() => first.current?.focus(), []);
  return (
    <div class="asked" role="group" aria-label={question}>
      <span class="grow">{question}</span>
      <button type="button" ref={first} class="primary" onClick={() => void act(chat, "/input", { line: "y" })}>
        Yes
      </button>
      <button type="button" onClick={() => void act(chat, "/input", { line: "n" })}>
        No
      </button>
    </div>
  );
}

function Line({ chat, prompt }: { chat: string; prompt: string }): VNode {
  const [line, setLine] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <form
      class="asked"
      onSubmit={(event) => {
        event.preventDefault();
        void act(chat, "/input", { line });
        setLine("");
      }}
    >
      <label>
        <span class="mono">{prompt || "input:"}</span>
        <input ref={field} type="text" class="mono" value={line} onInput={(event) => setLine(event.currentTarget.value)} />
      </label>
      <button type="submit" class="primary">
        Enter
      </button>
      <button type="button" title="End of input" onClick={() => void act(chat, "/input", { line: null })}>
        End
      </button>
    </form>
  );
}
