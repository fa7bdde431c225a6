// A line that the code asks for with input(), typed here.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { act } from "../state";

export function Asked({ chat, prompt }: { chat: string; prompt: string }): VNode {
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
