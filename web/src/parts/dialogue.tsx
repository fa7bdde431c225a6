// The chat from its first message to its last: items in the order in which they happened.
import type { VNode } from "preact";
import { act } from "../state";
import type { Item, View } from "../view";
import { filePath } from "../api";
import { End } from "./banner";
import { CellBox } from "./cell";
import { Icon } from "./icons";
import { memo } from "./memo";
import { cellsOf, TurnBox } from "./turn";

interface DialogueProps {
  chat: string;
  view: View;
  plain?: boolean;
}

export function Dialogue({ chat, view, plain }: DialogueProps): VNode {
  const busy = view.work !== null;
  const last = view.items[view.items.length - 1];
  return (
    <>
      {view.items.map((item) => (
        <ItemBox key={item.seq} {...{ chat, view, item, busy, plain: plain ?? false }} last={item === last && !busy} />
      ))}
    </>
  );
}

interface ItemProps extends DialogueProps {
  item: Item;
  busy: boolean;
  last: boolean;
}

function ItemBox({ chat, view, item, busy, last, plain }: ItemProps): VNode | null {
  switch (item.kind) {
    case "message":
      if (item.said.fixes) return <p class="note center">The model is asked to mend the cell.</p>;
      return <Said chat={chat} text={item.said.text} files={item.said.files} hint={false} />;
    case "hint":
      return <Said chat={chat} text={item.text} files={[]} hint />;
    case "turn": {
      const turn = view.turns[item.turn];
      if (!turn) return null;
      return <TurnBox {...{ chat, turn, ...cellsOf(view, turn), ratings: view.ratings, busy, plain: plain ?? false }} />;
    }
    case "cell": {
      const attempts = (view.attempts[item.cell] ?? []).map((id) => view.cells[id]).filter((cell) => cell !== undefined);
      const shown = attempts[attempts.length - 1]?.id ?? item.cell;
      return <CellBox {...{ chat, attempts, shown, ratings: view.ratings, busy, plain: plain ?? false }} />;
    }
    case "note":
      return <p class="note center">{item.text}</p>;
    case "end":
      return <End chat={chat} end={item.end} last={last && !plain} />;
    case "error":
      return (
        <div class="banner ended ill" role="alert">
          <Icon name="cross" />
          <span class="grow">
            {item.error.message} <span class="muted">({item.error.where})</span>
          </span>
          {last && !plain && (
            <button type="button" onClick={() => void act(chat, "/continue", { turns: 3 })}>
              Try again
            </button>
          )}
        </div>
      );
  }
}

const Said = memo(function Said({ chat, text, files, hint }: { chat: string; text: string; files: string[]; hint: boolean }): VNode {
  return (
    <div class={`said ${hint ? "hint-said" : ""}`} aria-label={hint ? "Your hint" : "Your message"} role="article">
      {hint && <span class="muted small">hint</span>}
      <p>{text}</p>
      {files.length > 0 && (
        <p class="files">
          {files.map((name) => (
            <a key={name} class="chip" href={filePath(chat, name)} download={name}>
              <Icon name="file" /> {name}
            </a>
          ))}
        </p>
      )}
    </div>
  );
});
