// A chat's events, live: goes on where it was when the connection or the server was gone.
import { chatPath, get, Refused } from "./api";
import { KINDS, type ChatEvent, type Data, type Kind } from "./events";
import { after, EMPTY, type View } from "./view";

export type Link = "connecting" | "live" | "lost" | "gone" | "locked";

const BUDGET_MS = 12; // of one task: what is left waits for the next
const LONGEST_WAIT_MS = 8000;

/** Follow a chat: `show` gets each view, at most once a frame. Returns what ends it. */
export function follow(chat: string, show: (view: View) => void, tell: (link: Link) => void): () => void {
  let view = EMPTY;
  let waiting: ChatEvent[] = [];
  let due = false;
  let over = false;
  let tries = 0;
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const work = (): void => {
    due = false;
    if (over) return;
    const end = performance.now() + BUDGET_MS;
    let at = 0;
    while (at < waiting.length && (at % 8 !== 0 || performance.now() < end)) view = after(view, waiting[at++] as ChatEvent);
    waiting = waiting.slice(at);
    show(view);
    if (waiting.length) soon();
  };
  const soon = (): void => {
    if (due) return;
    due = true;
    if (document.hidden) setTimeout(work, 50);
    else requestAnimationFrame(work);
  };
  const take = (type: Kind, message: MessageEvent<string>): void => {
    const seq = Number(message.lastEventId);
    const data = JSON.parse(message.data) as Data[Kind] & { at?: number };
    waiting.push({ seq, at: data.at ?? Date.now() / 1000, type, data } as ChatEvent);
    soon();
  };
  const open = (): void => {
    const last = waiting[waiting.length - 1]?.seq ?? view.seq;
    source = new EventSource(chatPath(chat, `/events?after=${last}`));
    for (const kind of KINDS)
      source.addEventListener(kind, (message) => {
        // a fault of the connection has the same name as our event, and no data
        if (typeof (message as MessageEvent<string>).data === "string") take(kind, message as MessageEvent<string>);
      });
    source.onopen = () => {
      tries = 0;
      tell("live");
    };
    source.onerror = () => {
      if (over) return;
      tell("lost");
      source?.close();
      timer = setTimeout(again, Math.min(LONGEST_WAIT_MS, 300 * 2 ** tries++));
    };
  };
  const again = (): void => {
    get(chatPath(chat)).then(open, (error: unknown) => {
      const status = error instanceof Refused ? error.status : 0;
      if (status === 404) tell("gone");
      else if (status === 401 || status === 403) tell("locked");
      else if (!over) timer = setTimeout(again, Math.min(LONGEST_WAIT_MS, 300 * 2 ** tries++));
    });
  };
  tell("connecting");
  open();
  return () => {
    over = true;
    clearTimeout(timer);
    source?.close();
  };
}
