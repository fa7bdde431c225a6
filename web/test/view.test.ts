import { describe, expect, test } from "vitest";
import type { ChatEvent, Data, Kind, Result } from "../src/events";
import { after, EMPTY, fault, type View } from "../src/view";

let seq = 0;

function event<K extends Kind>(type: K, data: Data[K]): ChatEvent {
  return { seq: ++seq, at: seq, type, data } as ChatEvent;
}

function told(events: readonly ChatEvent[], from: View = EMPTY): View {
  return events.reduce(after, from);
}

function result(more: Partial<Result> = {}): Result {
  const nothing = { text: "", total_bytes: 0, truncated: false };
  const ended = { exit_code: null, signal: null, error: null, displays: [], isolation: "namespaces", state_lost: false };
  return { status: "ok", stdout: nothing, stderr: nothing, cpu_s: 0.1, wall_s: 0.5, peak_memory_bytes: 1, ...ended, ...more };
}

const usage = { prompt_tokens: 10, completion_tokens: 5 };
const ended = { reply: "whole", finish: "stop", usage, seconds: 2, first_token_s: 0.1 };
const error = result({ status: "error", error: { name: "KeyError", message: "'date'", line: 2 } });

function cell(id: string, turn: string | null, before: string | null = null): ChatEvent {
  return event("cell.added", { cell: id, turn, index: 0, language: "python", code: id, skipped: null, attempt_of: before });
}

function repaired(): ChatEvent[] {
  seq = 0;
  return [
    event("message.added", { message: "m1", role: "user", text: "go", files: [], branch_of: null }),
    event("work.started", { what: "loop" }),
    event("turn.started", { turn: "t1", model: "m", number: 1, of: 4, because: "request" }),
    event("text.delta", { turn: "t1", text: "Hel" }),
    event("text.delta", { turn: "t1", text: "lo" }),
    cell("c1", "t1"),
    event("cell.started", { cell: "c1", run: "r1", code: "c1" }),
    event("cell.output", { cell: "c1", run: "r1", stream: "stdout", text: "a" }),
    event("cell.output", { cell: "c1", run: "r1", stream: "stdout", text: "b" }),
    event("cell.output", { cell: "c1", run: "r1", stream: "stderr", text: "c" }),
    event("cell.finished", { cell: "c1", run: "r1", result: error }),
    event("feedback.given", { turn: "t1", source: "execution", text: "" }),
    event("turn.ended", { turn: "t1", ...ended }),
    event("turn.started", { turn: "t2", model: "m", number: 2, of: 4, because: "execution" }),
    cell("c2", "t2", "c1"),
    event("cell.started", { cell: "c2", run: "r2", code: "c2" }),
    event("cell.finished", { cell: "c2", run: "r2", result: result() }),
    event("turn.ended", { turn: "t2", ...ended }),
    event("loop.ended", { reason: "answered", well: true, detail: "" }),
    event("work.ended", { what: "loop" }),
  ];
}

describe("the view of a chat", () => {
  test("holds what was said, in order", () => {
    const view = told(repaired());
    expect(view.items.map((item) => item.kind)).toEqual(["message", "turn", "turn", "end"]);
    expect(view.work).toBeNull();
    expect(view.turns["t1"]?.text).toBe("whole");
  });

  test("shows text and output as they come", () => {
    const view = told(repaired().slice(0, 10));
    expect(view.turns["t1"]?.text).toBe("Hello");
    expect(view.cells["c1"]?.output).toEqual([
      { stream: "stdout", text: "ab" },
      { stream: "stderr", text: "c" },
    ]);
    expect([view.work, view.running]).toEqual(["loop", "c1"]);
  });

  test("puts a repaired cell with the one that it repairs", () => {
    const view = told(repaired());
    expect(view.attempts).toEqual({ c1: ["c1", "c2"] });
    expect(fault(view.cells["c1"])).toBe("KeyError: 'date'");
    expect(fault(view.cells["c2"])).toBe("");
  });

  test("puts an edit of an edit with the first of them", () => {
    const view = told([...repaired(), cell("c3", null, "c2")]);
    expect(view.attempts["c1"]).toEqual(["c1", "c2", "c3"]);
    expect(view.items.at(-1)?.kind).toBe("end");
  });

  test("is the same wherever the events were cut, sent twice or read again", () => {
    const events = repaired();
    const whole = told(events);
    for (let cut = 0; cut <= events.length; cut++) {
      const half = told(events.slice(0, cut));
      expect(told(events.slice(cut), half)).toEqual(whole);
      expect(told(events, half)).toEqual(whole);
    }
  });

  test("counts tokens and seconds", () => {
    const view = told(repaired());
    expect(view.tokens).toEqual({ prompt: 20, completion: 10 });
    expect([view.modelSeconds, view.runSeconds]).toEqual([4, 1]);
  });

  test("never changes what it was before", () => {
    const events = repaired();
    let view = EMPTY;
    for (const each of events) {
      const before = JSON.stringify(view);
      const next = after(view, each);
      expect(JSON.stringify(view)).toBe(before);
      view = next;
    }
  });

  test("keeps a bounded part of endless output", () => {
    const running = told(repaired().slice(0, 7));
    const long = "x".repeat(10_000);
    const flood = Array.from({ length: 100 }, () => event("cell.output", { cell: "c1", run: "r1", stream: "stdout", text: long }));
    const view = told(flood, running);
    expect(view.cells["c1"]?.kept).toBeLessThan(300_000);
  });

  test("cuts output at ends of lines, and loses none of it", () => {
    const running = told(repaired().slice(0, 7));
    const texts = Array.from({ length: 400 }, (_, at) => `line ${at} ${"y".repeat(at % 50)}\nand `);
    const parts = texts.map((text) => event("cell.output", { cell: "c1", run: "r1", stream: "stdout", text }));
    const output = told(parts, running).cells["c1"]?.output ?? [];
    expect(output.map((chunk) => chunk.text).join("")).toBe(texts.join(""));
    expect(output.length).toBeGreaterThan(2);
    for (const chunk of output.slice(0, -1)) expect(chunk.text.endsWith("\n")).toBe(true);
  });

  test("asks for a line, and shows what was typed", () => {
    const running = told(repaired().slice(0, 7));
    const asked = told([event("cell.input", { cell: "c1", run: "r1", prompt: "name? " })], running);
    expect(asked.cells["c1"]?.asks).toBe("name? ");
    const typed = told([event("cell.typed", { cell: "c1", line: "Ada" })], asked);
    expect(typed.cells["c1"]?.asks).toBeNull();
    expect(typed.cells["c1"]?.output.at(-1)?.text).toBe("name? Ada\n");
  });

  test("passes over an event of a cell or a turn that it does not know", () => {
    seq = 0;
    const view = told([event("text.delta", { turn: "t9", text: "x" }), event("cell.finished", { cell: "c9", run: "r", result: result() })]);
    expect(view.items).toEqual([]);
  });
});
