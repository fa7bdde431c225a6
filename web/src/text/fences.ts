// A reply in pieces: prose, and fenced code that a cell may stand for.

export interface Piece {
  readonly kind: "prose" | "code" | "thought";
  readonly text: string;
  readonly info: string; // of code: what stands behind the fence
  readonly closed: boolean;
}

const OPENING = /^((?:\s|>)*(?:[-*+]\s+|\d{1,9}[.)]\s+)?)(`{3,}(?=[^`]*$)|~{3,})[ \t]*(.*?)[ \t]*$/;

/** Return the pieces of a reply, in order; a fence that is still open is a piece that is not closed. */
export function pieces(reply: string): Piece[] {
  const found: Piece[] = [];
  let prose: string[] = [];
  const flush = (): void => {
    found.push(...spoken(prose.join("\n")));
    prose = [];
  };
  const lines = reply.replace(/\r\n?/g, "\n").split("\n");
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const opening = OPENING.exec(line);
    if (!opening || inThought(prose)) {
      prose.push(line);
      continue;
    }
    flush();
    const fence = opening[2] ?? "```";
    const closing = new RegExp(`^[\\s>]*\\${fence[0]}{${fence.length},}\\s*$`);
    const width = (opening[1] ?? "").length;
    const code: string[] = [];
    let closed = false;
    while (++at < lines.length) {
      const inside = lines[at] ?? "";
      closed = closing.test(inside);
      if (closed) break;
      code.push(undented(inside, width));
    }
    found.push({ kind: "code", text: code.join("\n"), info: opening[3] ?? "", closed });
  }
  flush();
  return found;
}

function undented(line: string, width: number): string {
  let at = 0;
  while (at < width && (line[at] === " " || line[at] === ">")) at++;
  return line.slice(at);
}

function inThought(prose: readonly string[]): boolean {
  const text = prose.join("\n");
  return text.lastIndexOf("<think>") > text.lastIndexOf("</think>");
}

function spoken(text: string): Piece[] {
  const parts = text.split(/<think>([\s\S]*?)(?:<\/think>|$)/);
  return parts
    .map((part, at): Piece => ({ kind: at % 2 ? "thought" : "prose", text: part, info: "", closed: true }))
    .filter((piece) => piece.text.trim() !== "");
}

/** Return for each piece which of the cells (their code) it is; what found no piece comes last. */
export function placed(found: readonly Piece[], codes: readonly string[]): { at: (number | null)[]; rest: number[] } {
  const at: (number | null)[] = found.map(() => null);
  const rest: number[] = [];
  let from = 0;
  codes.forEach((code, cell) => {
    const wanted = bare(code);
    const index = found.findIndex((piece, n) => n >= from && piece.kind === "code" && bare(piece.text) === wanted);
    if (index < 0) rest.push(cell);
    else {
      at[index] = cell;
      from = index + 1;
    }
  });
  return { at, rest };
}

function bare(code: string): string {
  return code.replace(/\s+/g, " ").replace(/[`~\s]+$/, "").trim();
}
