// What the loop is doing, and when it ended: why, and what a person may do about it.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Data } from "../events";
import { act } from "../state";
import { fault, type View } from "../view";
import { Icon, IconButton } from "./icons";

const WHY: Readonly<Record<string, string>> = {
  answered: "The model has nothing left to do.",
  gave_up: "The last run failed, and the model had nothing more to run.",
  empty_reply: "The model wrote nothing.",
  turn_limit: "The limit of turns was reached.",
  time_limit: "The limit of time was reached.",
  token_limit: "The limit of tokens was reached.",
  same_error: "The same error came twice in a row.",
  same_code: "The model wrote the same code twice in a row.",
  interrupted: "Stopped by you.",
  stopped: "Stopped by you.",
  failed: "Something on our side failed.",
};

/** Say in one sentence why the loop ended. */
export function reason(end: Data["loop.ended"]): string {
  if (end.reason === "answered" && !end.well) return "The model thinks that it is done, but the last run failed.";
  if (end.reason === "stopped" && end.detail) return `${end.detail[0]?.toUpperCase()}${end.detail.slice(1)}.`;
  return WHY[end.reason] ?? end.reason;
}

/** Say what the loop is doing now. */
export function doing(view: View): string {
  if (view.place > 0) return `Waiting for a place in the sandbox: ${view.place} before you`;
  if (view.work === "replay") return "Running the cells again, so that the variables are back";
  const last = view.items.findLast((item) => item.kind === "turn");
  const turn = last?.kind === "turn" ? view.turns[last.turn] : undefined;
  if (turn?.cells.some((id) => view.cells[id]?.state === "waiting")) return `${place(turn)}: may this code run?`;
  if (view.running !== null) return turn?.ended === null ? `${place(turn)}: running the code` : "Running the code";
  if (!turn || turn.ended) return "Waiting for the model";
  const before = view.items.filter((item) => item.kind === "turn").at(-2);
  const broken = before?.kind === "turn" ? view.turns[before.turn]?.cells.at(-1) : undefined;
  const why = fault(broken === undefined ? undefined : view.cells[broken]);
  if (turn.because === "execution") return `${place(turn)}: ${why ? `repairing ${why}` : "reading what came back"}`;
  return `${place(turn)}: ${turn.text ? "writing" : "waiting for the model"}`;
}

function place(turn: { number: number; of: number | null }): string {
  return turn.of ? `Turn ${turn.number} of ${turn.of}` : `Turn ${turn.number}`;
}

export function Working({ chat, view }: { chat: string; view: View }): VNode {
  return (
    <div class="banner working" role="status">
      <span class="pulse" aria-hidden="true" />
      <span class="grow">{doing(view)}</span>
      <IconButton icon="stop" label="Stop" text class="danger" onClick={() => void act(chat, "/stop")} />
    </div>
  );
}

/** Why a loop ended; under the last one stand the ways to go on. */
export function End({ chat, end, last }: { chat: string; end: Data["loop.ended"]; last: boolean }): VNode {
  const [hint, setHint] = useState<string | null>(null);
  const give = async (): Promise<void> => {
    if (hint?.trim() && (await act(chat, "/hint", { text: hint }))) setHint(null);
  };
  return (
    <div class={`banner ended ${end.well ? "well" : "ill"}`} role="status">
      <Icon name={end.well ? "check" : "cross"} />
      <span class="grow">
        {reason(end)}
        {end.detail && end.reason !== "stopped" && <span class="muted"> {end.detail}</span>}
      </span>
      {last && hint === null && (
        <span class="row">
          <button type="button" onClick={() => setHint("")}>
            Give a hint
          </button>
          <button type="button" onClick={() => void act(chat, "/continue", { turns: 3 })}>
            Continue +3
          </button>
        </span>
      )}
      {last && hint !== null && (
        <form
          class="hint"
          onSubmit={(event) => {
            event.preventDefault();
            void give();
          }}
        >
          <input
            type="text"
            aria-label="Hint for the model"
            placeholder="What should it do otherwise?"
            value={hint}
            ref={(field) => field?.focus()}
            onInput={(event) => setHint(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Escape") setHint(null);
            }}
          />
          <button type="submit" class="primary">
            Send
          </button>
        </form>
      )}
    </div>
  );
}
