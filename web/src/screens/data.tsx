import type { VNode } from "preact";
export function DataScreen(): VNode {
  return <main />;
}
