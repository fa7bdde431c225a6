import type { VNode } from "preact";
export function SettingsScreen(): VNode {
  return <main />;
}
