// The limits that the server sets, in words.
import type { VNode } from "preact";
import { bytes, number, seconds } from "../text/sizes";

const WORDS: Readonly<Record<string, string>> = {
  turns: "Turns for a request",
  seconds: "Time for a request",
  tokens: "Tokens for a request",
  wall_s: "Time of a run",
  cpu_s: "Processor time of a run",
  memory_bytes: "Memory of a run",
};

function shown(name: string, value: number): string {
  if (name.endsWith("_bytes")) return bytes(value);
  return name.endsWith("_s") || name === "seconds" ? seconds(value) : number(value);
}

/** Pairs for a list of facts; a limit that is not set is left out. */
export function Limits({ limits }: { limits: Readonly<Record<string, unknown>> }): VNode {
  return (
    <>
      {Object.entries(limits).map(
        ([name, value]) =>
          typeof value === "number" && (
            <>
              <dt>{WORDS[name] ?? name.replace(/_/g, " ")}</dt>
              <dd>{shown(name, value)}</dd>
            </>
          ),
      )}
    </>
  );
}
