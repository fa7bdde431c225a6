import type { VNode } from "preact";
export function CompareScreen(_: { compare: string | null }): VNode {
  return <main />;
}
