// What a run said: live while it runs, with the error on top once it failed.
import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Result } from "../events";
import { coloured } from "../text/colours";
import { bytes, seconds } from "../text/sizes";
import { inPieces, type Cell, type Chunk } from "../view";
import { memo } from "./memo";

const LINE_PX = 19.5;

/** A piece that is lines as a whole is a block, which the browser lays out only where it is seen. */
const Piece = memo(function Piece({ stream, text, whole }: { stream: string; text: string; whole: boolean }): VNode {
  const size = whole ? { containIntrinsicSize: `auto ${(text.split("\n").length - 1) * LINE_PX}px` } : {};
  return (
    <span class={`piece ${stream} ${whole ? "whole" : ""}`} style={size}>
      {coloured(text).map((span, at) => (span.classes ? <span key={at} class={span.classes}>{span.text}</span> : span.text))}
    </span>
  );
});

/** What was written, in order; stays at its end while it grows, unless the person has scrolled up. */
function Written({ chunks, live }: { chunks: readonly Chunk[]; live: boolean }): VNode {
  const box = useRef<HTMLPreElement>(null);
  const stays = useRef(true);
  useLayoutEffect(() => {
    if (live && stays.current && box.current) box.current.scrollTop = 1e9;
  });
  return (
    <pre
      class="output"
      ref={box}
      tabIndex={0}
      role="log"
      aria-label="Output"
      aria-live={live ? "polite" : "off"}
      onScroll={(event) => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        stays.current = scrollHeight - scrollTop - clientHeight < 24;
      }}
    >
      {chunks.map((chunk, at) => (
        <Piece key={at} stream={chunk.stream} text={chunk.text} whole={whole(chunks, at)} />
      ))}
    </pre>
  );
}

function whole(chunks: readonly Chunk[], at: number): boolean {
  const ends = (index: number): boolean => chunks[index]?.text.endsWith("\n") ?? true;
  return ends(at) && ends(at - 1);
}

/** What both streams hold: as it came if all of it was seen, else what the result kept of each. */
export function chunksOf(cell: Cell): readonly Chunk[] {
  const result = cell.result;
  if (!result) return cell.output;
  const cut = result.stdout.truncated || result.stderr.truncated;
  const seen = (stream: string): number =>
    cell.output.reduce((sum, chunk) => sum + (chunk.stream === stream ? chunk.text.length : 0), 0);
  if (!cut && seen("stdout") >= result.stdout.text.length && seen("stderr") >= result.stderr.text.length) return cell.output;
  return [...inPieces("stdout", result.stdout.text), ...inPieces("stderr", result.stderr.text)];
}

interface OutputProps {
  cell: Cell;
  onLine: (line: number) => void;
}

export function CellOutput({ cell, onLine }: OutputProps): VNode {
  const chunks = chunksOf(cell);
  const failed = cell.result?.error ?? null;
  const said = failed ? chunks.filter((chunk) => chunk.stream === "stdout") : chunks;
  const trace = failed ? chunks.filter((chunk) => chunk.stream === "stderr") : [];
  return (
    <>
      {said.length > 0 && <Written chunks={said} live={cell.state === "running"} />}
      {cell.result && <Cut result={cell.result} />}
      {failed && (
        <div class="failure">
          <p>
            <strong>{failed.name}</strong>
            {failed.message && `: ${failed.message}`}
            {failed.line !== null && (
              <button type="button" class="line-link" onClick={() => onLine(failed.line ?? 1)}>
                line {failed.line}
              </button>
            )}
          </p>
          {trace.length > 0 && (
            <details>
              <summary>Traceback</summary>
              <Written chunks={trace} live={false} />
            </details>
          )}
        </div>
      )}
    </>
  );
}

function Cut({ result }: { result: Result }): VNode | null {
  const cut = [result.stdout, result.stderr].filter((stream) => stream.truncated);
  if (!cut.length) return null;
  const all = cut.reduce((sum, stream) => sum + stream.total_bytes, 0);
  return <p class="muted small">{bytes(all)} were written; the beginning and the end are kept.</p>;
}

/** Seconds that have passed, counted while the person looks. */
export function Clock({ since }: { since: number }): VNode {
  const [now, setNow] = useState(Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 500);
    return () => clearInterval(timer);
  }, []);
  return <span class="clock">{seconds(Math.max(0, now - since))}</span>;
}
