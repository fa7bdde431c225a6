// A component that is drawn again only when what it is given has changed.
import { Component, type ComponentType, type VNode } from "preact";

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  return a.every((item, at) => Object.is(item, b[at]));
}

/** Return the component, which compares its properties, and lists among them item by item. */
export function memo<P extends object>(Inner: ComponentType<P>): ComponentType<P> {
  return class extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      const before = this.props as Record<string, unknown>;
      const now = next as Record<string, unknown>;
      return [...new Set([...Object.keys(before), ...Object.keys(now)])].some((key) => !same(before[key], now[key]));
    }
    override render(): VNode {
      return <Inner {...(this.props as P)} />;
    }
  } as ComponentType<P>;
}
