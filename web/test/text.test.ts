import { describe, expect, test } from "vitest";
import { coloured } from "../src/text/colours";
import { difference } from "../src/text/diff";
import { pieces, placed } from "../src/text/fences";
import { highlighted } from "../src/text/highlight";
import { bytes, seconds } from "../src/text/sizes";
import { csv, ordered, parsed } from "../src/parts/table";

describe("a reply in pieces", () => {
  test("is prose and code, in order", () => {
    const found = pieces("Look:\n\n```python\nx = 1\n```\nDone.\n");
    expect(found.map((piece) => [piece.kind, piece.text.trim()])).toEqual([
      ["prose", "Look:"],
      ["code", "x = 1"],
      ["prose", "Done."],
    ]);
  });

  test("has an open fence while it is written", () => {
    expect(pieces("```py\nx = ").at(-1)).toEqual({ kind: "code", text: "x = ", info: "py", closed: false });
  });

  test("closes a fence only with one as long", () => {
    expect(pieces("````\n```\n````\n")).toHaveLength(1);
  });

  test("has code of a list item without its indent", () => {
    expect(pieces("1. so:\n   ```python\n   x = 1\n     y\n   ```\n")[1]?.text).toBe("x = 1\n  y");
  });

  test("does not look for code in what was thought", () => {
    const found = pieces("<think>\n```python\nx\n```\n</think>\nHi");
    expect(found.map((piece) => piece.kind)).toEqual(["thought", "prose"]);
  });

  test("never loses a line of code, wherever it is cut", () => {
    const reply = "a\n```python\none\ntwo\n```\nb\n```\nthree\n```\n";
    for (let end = 0; end <= reply.length; end++) {
      const text = pieces(reply.slice(0, end)).map((piece) => piece.text).join("\n");
      for (const word of ["one", "two", "three"]) if (reply.slice(0, end).includes(`${word}\n`)) expect(text).toContain(word);
    }
  });

  test("gives each cell the piece with its code, and keeps what has none", () => {
    const found = pieces("```python\na\n```\n```python\nb\n```\n");
    expect(placed(found, ["b\n", "z"])).toEqual({ at: [null, 0], rest: [1] });
  });
});

describe("a difference", () => {
  test("has what is shared, gone and new", () => {
    expect(difference("a\nb\nc\n", "a\nx\nc\n").map((line) => line.sign + line.text)).toEqual([" a", "-b", "+x", " c"]);
  });

  test("holds both texts whole, whatever they are", () => {
    let state = 7;
    const random = (most: number): number => (state = (state * 48271) % 2147483647) % most;
    for (let at = 0; at < 200; at++) {
      const [a, b] = [0, 1].map(() => Array.from({ length: 1 + random(8) }, () => "abc"[random(3)]).join("\n")) as [string, string];
      const lines = difference(a, b);
      expect(lines.filter((line) => line.sign !== "+").map((line) => line.text).join("\n")).toBe(a);
      expect(lines.filter((line) => line.sign !== "-").map((line) => line.text).join("\n")).toBe(b);
    }
  });
});

describe("what is shown", () => {
  test("has the colours of a terminal, and none of its other sequences", () => {
    expect(coloured("a\x1b[31mred\x1b[0m\x1b[2Jb")).toEqual([
      { text: "a", classes: "" },
      { text: "red", classes: "sgr-1" },
      { text: "b", classes: "" },
    ]);
  });

  test("is code line by line, each with its own tags, and nothing of it as HTML", () => {
    const lines = highlighted('x = """<b>\n</b>"""\n', "python");
    expect(lines).toHaveLength(3);
    expect(lines.join("")).not.toContain("<b>");
    for (const line of lines) expect(line.split("<span").length).toBe(line.split("</span>").length);
  });

  test("has sizes and times as a person reads them", () => {
    expect([bytes(12), bytes(2048), bytes(3 * 1024 ** 3)]).toEqual(["12 B", "2.0 KiB", "3.0 GiB"]);
    expect([seconds(0.0704), seconds(3.21), seconds(75)]).toEqual(["70 ms", "3.2 s", "1 min 15 s"]);
  });
});

describe("a table", () => {
  const resource = parsed('{"schema":{"fields":[{"name":"a","type":"any"}]},"data":[{"a":"x,\\"y\\""},{"a":null}],"shape":[2,1]}');

  test("is taken away as CSV", () => {
    expect(resource && csv(resource)).toBe('a\r\n"x,""y"""\r\n\r\n');
  });

  test("is no table if it does not have rows and names", () => {
    expect(parsed('{"data": 1}')).toBeNull();
    expect(parsed("{")).toBeNull();
  });

  test("orders numbers by value, and what is missing last", () => {
    expect([10, null, 9, 2].sort(ordered)).toEqual([2, 9, 10, null]);
    expect(["b10", "b9"].sort(ordered)).toEqual(["b9", "b10"]);
  });
});
