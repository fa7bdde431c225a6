// Numbers as a person reads them.

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  const steps = ["KiB", "MiB", "GiB", "TiB"];
  let [value, at] = [count / 1024, 0];
  while (value >= 1024 && at < steps.length - 1) {
    value /= 1024;
    at++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${steps[at]}`;
}

export function seconds(count: number): string {
  if (count < 1) return `${Math.round(count * 1000)} ms`;
  if (count < 60) return `${count.toFixed(1)} s`;
  const rest = Math.round(count % 60);
  return `${Math.floor(count / 60)} min${rest ? ` ${rest} s` : ""}`;
}

export function number(count: number): string {
  return count.toLocaleString("en");
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** Say when something was, as shortly as it can be said. */
export function when(unix: number, now = Date.now() / 1000): string {
  const ago = now - unix;
  if (ago < 60) return "now";
  if (ago < 3600) return `${Math.floor(ago / 60)} min`;
  if (ago < 86_400) return `${Math.floor(ago / 3600)} h`;
  if (ago < 7 * 86_400) return `${Math.floor(ago / 86_400)} d`;
  return new Date(unix * 1000).toISOString().slice(0, 10);
}
