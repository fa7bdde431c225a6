// The signs of the page: one stroke, the colour of the text around them.
import type { VNode } from "preact";

const PATHS = {
  plus: "M12 5v14M5 12h14",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16.200 16.200 20 20",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  play: "M8 5.500v13l10.500-6.500z",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  copy: "M9 9h10v11H9zM5 15V4h10",
  wrench: "M14.500 6a4.500 4.500 0 0 0-5.800 5.800L4 16.500 7.500 20l4.700-4.700A4.500 4.500 0 0 0 18 9.500l-2.700 2.700-3-.800-.800-3z",
  up: "M7 11v9H4v-9zM7 11l4-8c1.700 0 2.500 1 2.300 2.500L12.800 9H19c1 0 1.700 1 1.500 2l-1.400 7c-.2 1.200-1 2-2.100 2H7",
  down: "M17 13V4h3v9zM17 13l-4 8c-1.700 0-2.500-1-2.300-2.500l.500-3.500H5c-1 0-1.700-1-1.500-2l1.400-7C5.100 4.800 5.900 4 7 4h10",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  clip: "M18 11.500 11.500 18a4 4 0 0 1-5.700-5.700l7-7a2.700 2.700 0 0 1 3.800 3.800l-6.800 6.800a1.300 1.300 0 0 1-1.900-1.900L13.700 8",
  branch: "M7 4v10M7 14a3 3 0 1 0 .01 0M17 4a3 3 0 1 0 .01 0M17 10c0 4-4 4-7.500 5.500",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6 6 18",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  compare: "M4 5h6v14H4zM14 5h6v14h-6z",
  table: "M4 5h16v14H4zM4 10h16M4 14.500h16M10 5v14",
  gear: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM12 3v3M12 18v3M3 12h3M18 12h3M5.600 5.600l2.100 2.100M16.300 16.300l2.100 2.100M5.600 18.400l2.100-2.100M16.300 7.700l2.100-2.100",
  check: "M5 12.500l4.500 4.500L19 7.500",
  cross: "M7 7l10 10M17 7 7 17",
  chip: "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
  variable: "M8 5c-3 4-3 10 0 14M16 5c3 4 3 10 0 14M10 10l4 4M14 10l-4 4",
  gauge: "M4 17a8 8 0 1 1 16 0M12 17l4-6",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.500l3 2",
  folder: "M4 6h6l2 2.500h8V19H4z",
  trash: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  cell: "M4 5h16v14H4zM8 10l2.500 2L8 14M13 15h4",
  expand: "M8 10l4 4 4-4",
  keys: "M3 7h18v10H3zM7 14h10M7 10.500h.01M11 10.500h.01M15 10.500h.01",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): VNode {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

interface ButtonProps {
  icon: IconName;
  label: string;
  onClick: (event: MouseEvent) => void;
  text?: boolean;
  pressed?: boolean;
  disabled?: boolean;
  class?: string;
}

/** A button with a sign; its label is read aloud, shown on hover, and beside the sign with `text`. */
export function IconButton({ icon, label, onClick, text, pressed, disabled, class: more }: ButtonProps): VNode {
  return (
    <button
      type="button"
      class={`icon-button ${more ?? ""}`}
      title={label}
      aria-label={text ? undefined : label}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
      {text && <span>{label}</span>}
    </button>
  );
}
