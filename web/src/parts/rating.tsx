// What a person thinks of a reply or a cell: a thumb, reasons, a comment, what they would have written.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Data, Thumb } from "../events";
import { act, say } from "../state";
import { IconButton } from "./icons";
import { memo } from "./memo";

type Rated = Data["rating.given"];

export const REASONS = {
  up: ["correct", "clear", "good code", "good plot"],
  down: ["wrong", "incomplete", "ignored the request", "bad code", "too long", "unsafe"],
} as const;

interface RatingProps {
  chat: string;
  target: string;
  rated: Rated | null;
  own: string; // what was written, to start from
  what: "reply" | "cell";
}

export const Rating = memo(function Rating({ chat, target, rated, own, what }: RatingProps): VNode {
  const [open, setOpen] = useState(false);
  const give = async (change: Partial<Rated>): Promise<void> => {
    const before = rated ?? { target, thumb: null, reasons: [], comment: "", preferred: null };
    await act(chat, "/ratings", { ...before, ...change, target });
  };
  const press = (thumb: "up" | "down"): void => {
    const next: Thumb = rated?.thumb === thumb ? null : thumb;
    void give({ thumb: next, reasons: [] });
    setOpen(next !== null);
  };
  return (
    <div class={`rating ${open ? "open" : ""}`}>
      <IconButton icon="up" label={`Good ${what}`} pressed={rated?.thumb === "up"} onClick={() => press("up")} />
      <IconButton icon="down" label={`Bad ${what}`} pressed={rated?.thumb === "down"} onClick={() => press("down")} />
      {!open && (
        <button type="button" class="quiet" onClick={() => setOpen(true)}>
          {rated?.preferred ? "your version" : rated?.comment || rated?.reasons.length ? "your remarks" : "I would have written …"}
        </button>
      )}
      {open && <Remarks {...{ rated, own, what, give }} onClose={() => setOpen(false)} />}
    </div>
  );
});

interface RemarksProps {
  rated: Rated | null;
  own: string;
  what: "reply" | "cell";
  give: (change: Partial<Rated>) => Promise<void>;
  onClose: () => void;
}

function Remarks({ rated, own, what, give, onClose }: RemarksProps): VNode {
  const [reasons, setReasons] = useState<string[]>(rated?.reasons ?? []);
  const [comment, setComment] = useState(rated?.comment ?? "");
  const [preferred, setPreferred] = useState(rated?.preferred ?? own);
  const offered: readonly string[] = REASONS[rated?.thumb ?? "down"];
  const keep = async (): Promise<void> => {
    const other = preferred.trim() && preferred.trim() !== own.trim() ? preferred : null;
    await give({ reasons, comment, preferred: other });
    say("Kept. It comes with the data that you export.");
    onClose();
  };
  const turn = (reason: string): void =>
    setReasons(reasons.includes(reason) ? reasons.filter((each) => each !== reason) : [...reasons, reason]);
  return (
    <form
      class="remarks"
      onSubmit={(event) => {
        event.preventDefault();
        void keep();
      }}
    >
      <div class="chips" role="group" aria-label="Reasons">
        {offered.map((reason) => (
          <button type="button" class="chip" key={reason} aria-pressed={reasons.includes(reason)} onClick={() => turn(reason)}>
            {reason}
          </button>
        ))}
      </div>
      <label>
        Comment
        <input type="text" value={comment} onInput={(event) => setComment(event.currentTarget.value)} />
      </label>
      <label>
        I would have written
        <textarea
          class={what === "cell" ? "mono" : ""}
          rows={Math.min(12, preferred.split("\n").length + 1)}
          spellcheck={false}
          value={preferred}
          onInput={(event) => setPreferred(event.currentTarget.value)}
        />
      </label>
      <div class="row">
        <button type="submit" class="primary">
          Keep
        </button>
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </form>
  );
}
