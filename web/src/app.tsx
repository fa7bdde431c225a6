// The whole page: the chats on the left, one screen beside them, what is told to the person on top.
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import { Keys } from "./parts/keys";
import { Palette } from "./parts/palette";
import { Sidebar } from "./parts/sidebar";
import { ChatScreen } from "./screens/chat";
import { CompareScreen } from "./screens/compare";
import { DataScreen } from "./screens/data";
import { SettingsScreen } from "./screens/settings";
import { loadServer, locked, notices, route, routeOf, sidebar, theme, type Route } from "./state";

export function App(): VNode {
  useEffect(() => {
    const moved = (): void => {
      route.value = routeOf(location.hash);
    };
    addEventListener("hashchange", moved);
    void loadServer();
    return () => removeEventListener("hashchange", moved);
  }, []);
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme.value;
  }, [theme.value]);
  if (locked.value) return <Locked />;
  return (
    <div class={`page ${sidebar.value ? "" : "no-sidebar"}`}>
      {sidebar.value && <Sidebar />}
      {sidebar.value && <button type="button" class="shade" aria-label="Hide the chats" onClick={() => (sidebar.value = false)} />}
      {screen(route.value)}
      <div class="notices" role="status" aria-live="polite">
        {notices.value.map((each) => (
          <p key={each.id} class={each.bad ? "bad" : ""}>
            {each.text}
          </p>
        ))}
      </div>
      <Keys />
      <Palette />
    </div>
  );
}

function screen(now: Route): VNode {
  switch (now.at) {
    case "chat":
      return <ChatScreen chat={now.chat} />;
    case "compare":
      return <CompareScreen compare={now.compare} />;
    case "data":
      return <DataScreen />;
    case "settings":
      return <SettingsScreen />;
  }
}

function Locked(): VNode {
  return (
    <main class="locked">
      <h1>codeloop</h1>
      <p>This page needs the link that the server printed when it started: it ends in ?token=…</p>
    </main>
  );
}
