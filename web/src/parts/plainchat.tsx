// A chat to look at: followed as any other, without what changes it.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { follow } from "../stream";
import { EMPTY, type View } from "../view";
import { doing } from "./banner";
import { Dialogue } from "./dialogue";

/** Follow a chat while the component is there. */
export function useChat(chat: string): View {
  const [view, setView] = useState(EMPTY);
  useEffect(() => {
    setView(EMPTY);
    return follow(chat, setView, () => undefined);
  }, [chat]);
  return view;
}

export function PlainChat({ chat, view }: { chat: string; view: View }): VNode {
  return (
    <>
      <Dialogue chat={chat} view={view} plain />
      {view.work !== null && (
        <p class="waiting" role="status">
          <span class="pulse" aria-hidden="true" /> <span class="muted">{doing(view)}</span>
        </p>
      )}
    </>
  );
}
