// Colours of a terminal (SGR) as classes: all other control sequences are dropped.

export interface Span {
  readonly text: string;
  readonly classes: string;
}

const SEQUENCE = /\x1b\[([0-9;]*)m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[^[]?/g;

/** Return a text as spans with the classes that its colours and weights have. */
export function coloured(text: string): Span[] {
  if (!text.includes("\x1b")) return text ? [{ text, classes: "" }] : [];
  const spans: Span[] = [];
  let [at, colour, bold] = [0, "", false];
  const say = (to: number): void => {
    if (to > at) spans.push({ text: text.slice(at, to), classes: [colour, bold ? "sgr-bold" : ""].join(" ").trim() });
  };
  for (const found of text.matchAll(SEQUENCE)) {
    say(found.index);
    at = found.index + found[0].length;
    if (found[1] === undefined) continue;
    for (const code of found[1].split(";").map(Number)) {
      if (code === 0) [colour, bold] = ["", false];
      else if (code === 1) bold = true;
      else if (code === 22) bold = false;
      else if (code === 39) colour = "";
      else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) colour = `sgr-${code % 10}`;
    }
  }
  say(text.length);
  return spans;
}
