// The line over a screen that is no chat.
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import { sidebar } from "../state";
import { IconButton } from "./icons";

export function ScreenHead({ title }: { title: string }): VNode {
  useEffect(() => {
    document.title = `${title} · codeloop`;
  }, [title]);
  return (
    <header class="head">
      {!sidebar.value && <IconButton icon="menu" label="Show the chats" onClick={() => (sidebar.value = true)} />}
      <h1>{title}</h1>
    </header>
  );
}
