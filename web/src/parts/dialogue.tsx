// The chat from its first message to its last: items in the order in which they happened.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { act, branch, mode } from "../state";
import type { Item, View } from "../view";
import { filePath } from "../api";
import { End } from "./banner";
import { CellBox } from "./cell";
import { Icon, IconButton } from "./icons";
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
      return <Said chat={chat} text={item.said.text} files={item.said.files} before={plain || busy ? null : item.seq - 1} />;
    case "hint":
      return <Hint text={item.text} />;
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

interface SaidProps {
  chat: string;
  text: string;
  files: readonly string[];
  before: number | null; // the event before it, where one asks otherwise; null: it stays as it is
}

const Said = memo(function Said({ chat, text, files, before }: SaidProps): VNode {
  const [draft, setDraft] = useState<string | null>(null);
  if (draft !== null && before !== null)
    return <AskOtherwise {...{ chat, text: draft, files, before }} setText={setDraft} onLeave={() => setDraft(null)} />;
  return (
    <div class="said" aria-label="Your message" role="article">
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
      {before !== null && (
        <span class="said-tools">
          <IconButton icon="edit" label="Ask otherwise" onClick={() => setDraft(text)} />
        </span>
      )}
    </div>
  );
});

interface OtherwiseProps {
  chat: string;
  text: string;
  files: readonly string[];
  before: number;
  setText: (text: string) => void;
  onLeave: () => void;
}

/** Another message in the place of one: it begins a branch, and this chat stays as it is. */
function AskOtherwise({ chat, text, files, before, setText, onLeave }: OtherwiseProps): VNode {
  const ask = async (): Promise<void> => {
    const made = text.trim() ? await branch(chat, before) : null;
    if (made) await act(made, "/messages", { text: text.trim(), files, mode: mode.value });
  };
  return (
    <form
      class="said otherwise"
      aria-label="Ask otherwise"
      onSubmit={(event) => {
        event.preventDefault();
        void ask();
      }}
    >
      <textarea
        aria-label="The message, otherwise"
        rows={Math.min(8, text.split("\n").length + 1)}
        value={text}
        ref={(field) => {
          if (field && !field.dataset["seen"]) {
            field.dataset["seen"] = "1";
            field.focus();
          }
        }}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") onLeave();
          else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) void ask();
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      />
      <div class="row">
        <span class="muted small grow">In a branch: this chat stays.</span>
        <button type="button" onClick={onLeave}>
          Leave
        </button>
        <button type="submit" class="primary">
          Ask
        </button>
      </div>
    </form>
  );
}

function Hint({ text }: { text: string }): VNode {
  return (
    <div class="said hint-said" aria-label="Your hint" role="article">
      <span class="muted small">hint</span>
      <p>{text}</p>
    </div>
  );
}
