// The timeline: each event of a chat with its time, what a model was told, what it wrote, and a branch from any of them.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { chatPath, get } from "../api";
import type { ChatEvent } from "../events";
import { branch, tried } from "../state";
import { number, plural, seconds } from "../text/sizes";
import type { View } from "../view";
import { reason } from "./banner";
import { IconButton } from "./icons";

interface Told {
  head: string; // what happened, in a few words
  text?: string; // all of it
  ill?: boolean;
}

const BECAUSE: Readonly<Record<string, string>> = { request: "a message", execution: "what came back", person: "a person's feedback" };

/** Say what an event tells; null for what is only a step of what another tells. */
export function told(event: ChatEvent): Told | null {
  switch (event.type) {
    case "message.added":
      return { head: event.data.fixes ? `The model is to mend ${event.data.fixes}` : "Message", text: event.data.text };
    case "turn.started":
      return { head: `${event.data.model} is asked, for ${BECAUSE[event.data.because] ?? event.data.because}` };
    case "turn.ended": {
      const { usage, seconds: took, reply } = event.data;
      return { head: `Reply: ${number(usage.completion_tokens)} tokens in ${seconds(took)}`, text: reply };
    }
    case "cell.started":
      return { head: `${event.data.cell} runs`, text: event.data.code };
    case "cell.finished": {
      const { status, wall_s: took, stdout, stderr } = event.data.result;
      return { head: `${event.data.cell}: ${status.replace("_", " ")} after ${seconds(took)}`, text: stdout.text + stderr.text, ill: status !== "ok" };
    }
    case "cell.input":
      return { head: `${event.data.cell} asks`, text: event.data.prompt };
    case "cell.typed":
      return { head: "Typed", text: event.data.line ?? "end of input" };
    case "cell.waiting":
      return { head: `${event.data.cell} waits to be allowed` };
    case "feedback.given":
      return { head: `Feedback: ${event.data.source}`, text: event.data.text };
    case "rating.given":
      return { head: `Rated ${event.data.target}${event.data.thumb ? ` ${event.data.thumb}` : ""}`, text: event.data.comment };
    case "loop.ended":
      return { head: reason(event.data), ill: !event.data.well };
    case "error":
      return { head: `Fault of the ${event.data.where}`, text: event.data.message, ill: true };
    case "sandbox.restarted":
      return { head: "The sandbox is started anew" };
    case "sandbox.replayed":
      return { head: `${plural(event.data.cells, "cell")} run again` };
    case "chat.branched":
      return { head: "The branch begins" };
    case "chat.changed":
      return { head: `Title, model or settings: ${event.data.model ?? ""}` };
    default:
      return null;
  }
}

export function Timeline({ chat, view }: { chat: string; view: View }): VNode {
  const [events, setEvents] = useState<ChatEvent[] | null>(null);
  const steps = view.items.length + Object.values(view.cells).filter((cell) => cell.result).length;
  useEffect(() => {
    void tried(get<{ events: ChatEvent[] }>(chatPath(chat, "/events?wait=0"))).then((found) => found && setEvents(found.events));
  }, [chat, steps, view.work]);
  if (!events) return <p class="muted">Loading …</p>;
  const start = events[0]?.at ?? 0;
  const rows = events.flatMap((event) => {
    const said = told(event);
    return said ? [{ event, said }] : [];
  });
  return (
    <ol class="timeline">
      {rows.map(({ event, said }) => (
        <li key={event.seq} class={said.ill ? "ill" : ""}>
          <span class="muted small at" title={new Date(event.at * 1000).toLocaleString()}>
            +{seconds(Math.max(0, event.at - start))}
          </span>
          <div class="grow">
            <strong>{said.head}</strong>
            {event.type === "turn.ended" && <Prompt chat={chat} turn={event.data.turn} />}
            {said.text && (
              <details>
                <summary>{first(said.text)}</summary>
                <pre>{said.text}</pre>
              </details>
            )}
          </div>
          {view.work === null && <IconButton icon="branch" label={`Branch after: ${said.head}`} onClick={() => void branch(chat, event.seq)} />}
        </li>
      ))}
    </ol>
  );
}

function first(text: string): string {
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line.length > 60 ? `${line.slice(0, 60)} …` : line;
}

/** All that the model of a turn was told, fetched when it is opened. */
function Prompt({ chat, turn }: { chat: string; turn: string }): VNode {
  const [messages, setMessages] = useState<{ role: string; content: string }[] | null>(null);
  const load = async (): Promise<void> => {
    if (messages) return;
    const found = await tried(get<{ messages: { role: string; content: string }[] }>(chatPath(chat, `/turns/${turn}/prompt`)));
    if (found) setMessages(found.messages);
  };
  return (
    <details onToggle={(event) => event.currentTarget.open && void load()}>
      <summary>What the model was told</summary>
      {messages === null && <p class="muted small">Loading …</p>}
      {messages?.map((each, at) => (
        <div key={at}>
          <span class="muted small">{each.role}</span>
          <pre>{each.content}</pre>
        </div>
      ))}
    </details>
  );
}
