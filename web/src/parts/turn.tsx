// One reply of the model: its words, its cells where their code stands, what it took.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Data } from "../events";
import { branch } from "../state";
import { pieces, placed, type Piece } from "../text/fences";
import { rendered } from "../text/markdown";
import { number, seconds } from "../text/sizes";
import type { Cell, Turn, View } from "../view";
import { CellBox, Superseded } from "./cell";
import { Code } from "./code";
import { IconButton } from "./icons";
import { memo } from "./memo";
import { Rating } from "./rating";

type Ratings = Readonly<Record<string, Data["rating.given"]>>;

export const Prose = memo(function Prose({ text }: { text: string }): VNode {
  const html = useMemo(() => rendered(text), [text]);
  return <div class="prose" dangerouslySetInnerHTML={{ __html: html }} />;
});

interface TurnProps {
  chat: string;
  turn: Turn;
  cells: readonly Cell[]; // of this turn
  others: readonly Cell[]; // all attempts of the groups that those are of
  ratings: Ratings;
  busy: boolean;
  plain?: boolean;
}

/** Return what a turn is drawn from, as lists that stay the same while their cells do. */
export function cellsOf(view: View, turn: Turn): { cells: Cell[]; others: Cell[] } {
  const found = (ids: readonly string[]): Cell[] => ids.map((id) => view.cells[id]).filter((each) => each !== undefined);
  const cells = found(turn.cells);
  const roots = [...new Set(cells.map((cell) => cell.root))];
  return { cells, others: roots.flatMap((root) => found(view.attempts[root] ?? [])) };
}

export const TurnBox = memo(function TurnBox(props: TurnProps): VNode {
  const { chat, turn, cells, ratings, plain } = props;
  const found = useMemo(() => pieces(turn.text), [turn.text]);
  const codes = cells.map((cell) => cell.code).join("\0");
  const { at, rest } = useMemo(() => placed(found, cells.map((cell) => cell.code)), [found, codes]);
  const live = turn.ended === null;
  return (
    <article class="turn" aria-label={`Turn ${turn.number}`} aria-busy={live}>
      {found.map((piece, index) => (
        <PieceBox key={index} piece={piece} cell={cells[at[index] ?? -1]} live={live && index === found.length - 1} {...props} />
      ))}
      {rest.map((index) => cells[index] && <Slot key={cells[index].id} cell={cells[index]} {...props} />)}
      {live && !found.length && (
        <p class="waiting" role="status">
          <span class="dots" aria-hidden="true">
            <i /> <i /> <i />
          </span>
          <span class="muted">{turn.model} is writing</span>
        </p>
      )}
      {turn.ended && <TurnFoot {...{ chat, turn, ended: turn.ended, ratings, plain: plain ?? false }} />}
    </article>
  );
});

interface PieceProps extends TurnProps {
  piece: Piece;
  cell: Cell | undefined;
  live: boolean;
}

function PieceBox({ piece, cell, live, ...props }: PieceProps): VNode {
  if (cell) return <Slot cell={cell} {...props} />;
  if (piece.kind === "prose") return <Prose text={piece.text} />;
  if (piece.kind === "thought")
    return (
      <details class="thought">
        <summary>Thinking</summary>
        <Prose text={piece.text} />
      </details>
    );
  return (
    <section class={`cell ${live ? "writing" : ""}`} aria-label="Code">
      <header class="cell-head">
        <span class="language">{piece.info.split(/\s/)[0] || "text"}</span>
        {live && <span class="muted">writing …</span>}
      </header>
      <Code code={piece.text} language={(piece.info.split(/\s/)[0] ?? "").toLowerCase()} />
    </section>
  );
}

/** A cell in its place: in full, unless a later reply has repaired it. */
function Slot({ cell, chat, others, ratings, busy, plain }: TurnProps & { cell: Cell }): VNode {
  const [open, setOpen] = useState(false);
  const attempts = others.filter((each) => each.root === cell.root);
  const later = attempts.slice(attempts.indexOf(cell) + 1);
  const repaired = later.some((each) => each.turn !== null && each.turn !== cell.turn);
  if (repaired && !open)
    return <Superseded cell={cell} at={attempts.indexOf(cell)} onOpen={() => setOpen(true)} />;
  const own = later.filter((each) => each.turn === null); // edits of a person stand here too
  const shown = repaired ? cell : (own[own.length - 1] ?? cell);
  return <CellBox {...{ chat, attempts, shown: shown.id, ratings, busy, plain: plain ?? false }} />;
}

interface FootProps {
  chat: string;
  turn: Turn;
  ended: Data["turn.ended"];
  ratings: Ratings;
  plain: boolean;
}

const FINISH: Readonly<Record<string, string>> = {
  length: "cut off: the reply was too long",
  filter: "refused by the endpoint",
  repeating: "cut off: it repeated itself",
  cancelled: "stopped",
};

function TurnFoot({ chat, turn, ended, ratings, plain }: FootProps): VNode {
  const { prompt_tokens: read, completion_tokens: written } = ended.usage;
  return (
    <footer class="turn-foot">
      {FINISH[ended.finish] && <span class="bad">{FINISH[ended.finish]}</span>}
      <span title="Tokens read and written">
        {number(read)} → {number(written)} tokens
      </span>
      <span title={ended.first_token_s === null ? "" : `First token after ${seconds(ended.first_token_s)}`}>
        {seconds(ended.seconds)}
      </span>
      {!plain && turn.model && <span class="model">{turn.model}</span>}
      <span class="grow" />
      {!plain && <IconButton icon="branch" label="Branch from here" onClick={() => void branch(chat, turn.seq)} />}
      {!plain && (
        <Rating chat={chat} target={turn.id} rated={ratings[turn.id] ?? null} own={turn.text} what="reply" />
      )}
    </footer>
  );
}
