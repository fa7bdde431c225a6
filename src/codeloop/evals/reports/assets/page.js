"use strict";
// Draws the page from its data. Text of models is only ever set as text, never as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);

const OUTCOMES = {
  first: ["✓", "solved by the first turn"],
  later: ["↑", "solved by a later turn"],
  lost: ["↓", "solved, then lost"],
  base: ["◐", "base tests alone"],
  wrong: ["✗", "not solved"],
  error: ["!", "no reply"],
};
const words = (name) => name.replaceAll("_", " ");

/** Make an element; attributes that are false or null are left out. */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function draw(tag, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

const mark = (outcome) =>
  make("span", { class: `mark ${outcome}`, "aria-hidden": "true" }, OUTCOMES[outcome][0]);

function tableOf(table, caption = true) {
  const head = make("tr", {}, ...table.head.map((cell) => make("th", { scope: "col" }, cell)));
  const rows = table.rows.map((row, index) =>
    make("tr", { class: index < table.own ? "own" : null },
      ...row.map((cell, column) => column ? make("td", {}, cell) : make("th", { scope: "row" }, cell))));
  const whole = make("table", { "aria-label": caption ? null : table.title },
    caption ? make("caption", {}, table.title) : null, make("thead", {}, head), make("tbody", {}, ...rows));
  const parts = [make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": table.title }, whole)];
  if (table.note) parts.push(make("p", { class: "note" }, table.note));
  return parts;
}

function drawSummary() {
  at("title").textContent = data.title;
  at("about").textContent = data.about;
  if (data.leaking) at("stamps").append(make("p", { class: "stamp bad" }, make("b", {}, "LEAKING"), `: ${data.leaking}`));
  if (data.leaks) {
    at("stamps").append(make("p", { class: "stamp bad" }, `${data.leaks} dialogues showed the model bytes of hidden tests.`));
  } else if (data.kind === "run" && !data.leaking) {
    at("stamps").append(make("p", { class: "stamp" }, "No byte of a hidden test was found in what the model was shown."));
  }
  for (const tile of data.tiles ?? []) {
    at("tiles").append(make("li", {}, make("span", { class: "name" }, tile.name),
      make("span", { class: "value" }, tile.value), make("span", { class: "note" }, tile.note)));
  }
  const tables = data.tables;
  if (tables.rates) {
    at("rates").hidden = false;
    at("rates").append(...tableOf(tables.rates));
  }
  if (data.curve?.length > 1) drawCurve(data.curve);
  if (tables.turns) tables.more.unshift(tables.turns);
  for (const table of tables.more) {
    const wide = data.kind === "comparison" || table.head.length > 4;
    at("more").append(make("section", { class: wide ? "wide" : null }, ...tableOf(table)));
  }
  for (const table of [tables.settings, tables.published]) {
    if (!table) continue;
    at("more").append(make("details", { class: "card wide" }, make("summary", {}, table.title), ...tableOf(table, false)));
  }
}

function drawCurve(curve) {
  const [left, right, top, bottom] = [46, 470, 18, 190];
  const all = curve.flatMap((each) => [each.ever, ...each.interval]);
  const low = Math.max(0, Math.floor(Math.min(...all) * 10 - 0.2) / 10);
  const high = Math.min(1, Math.ceil(Math.max(...all) * 10 + 0.2) / 10);
  const x = (turn) => left + 24 + (turn * (right - left - 48)) / Math.max(1, curve.length - 1);
  const y = (rate) => bottom - ((rate - low) / (high - low)) * (bottom - top);
  const percent = (rate) => `${(100 * rate).toFixed(1)} %`;
  const line = (pick) => curve.map((each, turn) => `${x(turn)},${y(pick(each))}`).join(" ");
  const said = curve.map((each, turn) => `turn ${turn + 1}: ${percent(each.solved)}`).join(", ");
  const svg = draw("svg", { viewBox: "0 0 490 222", role: "img", "aria-label": `Solved by turn. ${said}` });
  const steps = Math.round((high - low) * 10);
  for (let step = 0; step <= steps; step += steps > 5 ? 2 : 1) {
    const rate = low + step / 10;
    svg.append(draw("line", { class: "axis", x1: left, x2: right, y1: y(rate), y2: y(rate) }),
      draw("text", { x: left - 8, y: y(rate) + 4, "text-anchor": "end" }, `${Math.round(100 * rate)} %`));
  }
  const upper = line((each) => each.interval[1]);
  const lower = line((each) => each.interval[0]).split(" ").reverse().join(" ");
  svg.append(draw("polygon", { class: "band", points: `${upper} ${lower}` }),
    draw("polyline", { class: "ever", points: line((each) => each.ever) }),
    draw("polyline", { class: "solved", points: line((each) => each.solved) }));
  const shown = curve.length <= 6;
  curve.forEach((each, turn) => {
    svg.append(draw("circle", { class: "dot", cx: x(turn), cy: y(each.solved), r: 4 }),
      draw("text", { x: x(turn), y: bottom + 22, "text-anchor": "middle" }, shown ? `turn ${turn + 1}` : `${turn + 1}`));
    if (shown) svg.append(draw("text", { class: "value", x: x(turn), y: y(each.solved) + 20, "text-anchor": "middle" }, percent(each.solved)));
  });
  at("curve").hidden = false;
  at("curve").append(svg, make("p", { class: "key" }, make("span", {}, make("i"), "solved after this turn"),
    make("span", {}, make("i", { class: "ever" }), "ever solved so far"),
    make("span", {}, make("i", { class: "band" }), "95 % interval")));
}

// Dialogues: a button each in the grid and in the list, and a sheet that is filled when opened.
const index = data.index ?? [];
const details = new Map();
const cells = [];
const lines = [];
let matching = index.map((_, number) => number);
let open = -1;

function detail(number) {
  if (!details.has(number)) details.set(number, JSON.parse(at(`dialogue-${number}`).textContent));
  return details.get(number);
}

function named(entry) {
  const turns = entry.reasons.length === 1 ? "1 turn" : `${entry.reasons.length} turns`;
  return `${entry.label}: ${OUTCOMES[entry.outcome][1]}, ${turns}`;
}

function drawDialogues() {
  at("problems").hidden = false;
  index.forEach((entry, number) => {
    const cell = make("button", { type: "button", class: `mark ${entry.outcome}`, title: named(entry),
      "aria-label": named(entry), tabindex: number ? "-1" : "0" }, OUTCOMES[entry.outcome][0]);
    cell.addEventListener("click", () => show(number));
    cells.push(cell);
    const way = entry.reasons.map(words).join(" → ") || "no reply";
    const button = make("button", { type: "button" }, mark(entry.outcome), make("span", { class: "label" }, entry.label),
      make("span", { class: "way" }, way));
    button.addEventListener("click", () => show(number));
    lines.push(make("li", {}, button));
  });
  at("grid").append(...cells);
  at("list").append(...lines);
  drawFilters();
}

function drawFilters() {
  for (const [outcome, [, name]] of Object.entries(OUTCOMES)) {
    const count = index.filter((entry) => entry.outcome === outcome).length;
    if (!count) continue;
    at("outcomes").append(make("label", { class: "chip" }, make("input", { type: "checkbox", value: outcome }),
      mark(outcome), name, make("small", {}, `${count}`)));
  }
  const kinds = [...new Set(index.flatMap((entry) => entry.reasons))].sort();
  at("kind").append(...kinds.map((kind) => make("option", { value: kind }, words(kind))));
  const longest = Math.max(0, ...index.map((entry) => entry.reasons.length));
  for (let turn = 1; turn <= longest; turn += 1) at("turn").append(make("option", { value: turn }, `${turn}`));
}

function fits(entry, number, outcomes, kind, turn, text) {
  if (outcomes.size && !outcomes.has(entry.outcome)) return false;
  const reasons = turn ? entry.reasons.slice(turn - 1, turn) : entry.reasons;
  if ((turn || kind) && !reasons.some((reason) => !kind || reason === kind)) return false;
  if (!text || entry.label.toLowerCase().includes(text)) return true;
  const found = detail(number);
  found.haystack ??= [found.error ?? "", ...found.messages.map((message) => message.text),
    ...found.turns.flatMap((each) => [each.reply, each.told, each.code])].join("\n").toLowerCase();
  return found.haystack.includes(text);
}

function filter() {
  const outcomes = new Set([...at("outcomes").querySelectorAll(":checked")].map((box) => box.value));
  const [kind, turn, text] = [at("kind").value, Number(at("turn").value), at("text").value.trim().toLowerCase()];
  matching = [];
  index.forEach((entry, number) => {
    const good = fits(entry, number, outcomes, kind, turn, text);
    if (good) matching.push(number);
    cells[number].toggleAttribute("data-out", !good);
    lines[number].hidden = !good;
  });
  at("count").textContent = `${matching.length} of ${index.length} dialogues`;
}

/** Move the focus in the grid by arrow keys, as one stop of the Tab key. */
function move(event) {
  const now = cells.indexOf(document.activeElement);
  if (now < 0) return;
  const row = cells.filter((cell) => cell.offsetTop === cells[0].offsetTop).length;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row, Home: -now, End: cells.length - 1 - now };
  const next = cells[now + steps[event.key]];
  if (!next) return;
  event.preventDefault();
  cells[now].tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function show(number) {
  open = number;
  const entry = index[number];
  at("sheet-title").replaceChildren(mark(entry.outcome), make("span", {}, entry.label));
  at("sheet-body").replaceChildren(...dialogueOf(entry, detail(number)));
  if (!at("sheet").open) at("sheet").showModal();
  at("sheet").scrollTop = 0;
  at("sheet-title").focus();
  const place = matching.indexOf(number);
  at("previous").disabled = place <= 0;
  at("next").disabled = place < 0 || place === matching.length - 1;
  history.replaceState(null, "", `#${encodeURIComponent(entry.label)}`);
}

function step(by) {
  const next = matching[matching.indexOf(open) + by];
  if (open >= 0 && next !== undefined) show(next);
}

function dialogueOf(entry, found) {
  if (found.error) return [make("p", { class: "stamp bad" }, `A model call failed: ${found.error}`)];
  const [read, written] = found.tokens;
  const facts = [OUTCOMES[entry.outcome][1], `ended: ${words(found.reason)}`, `${read} tokens read, ${written} written`];
  const parts = [make("ul", { class: "facts" }, ...facts.map((fact) => make("li", {}, fact)))];
  if (found.leaks.length) parts.push(make("p", { class: "stamp bad" }, `Bytes of hidden tests were shown: ${found.leaks.join(", ")}`));
  for (const message of found.messages) parts.push(messageOf(message.role, message.role, message.text));
  found.turns.forEach((turn, number) => {
    parts.push(messageOf("assistant", `assistant, turn ${number + 1}`, turn.reply),
      verdictOf(turn, found.turns[number - 1], number));
    if (turn.told) parts.push(messageOf("user", `user: feedback on turn ${number + 1}`, turn.told));
  });
  return parts;
}

function messageOf(role, title, text) {
  const said = make("div", { class: "said" });
  let fence = "";
  let part = [];
  const flush = (code) => {
    if (part.length) said.append(code ? make("code", {}, part.join("\n")) : make("span", {}, part.join("\n")));
    part = [];
  };
  for (const line of text.split("\n")) {
    const found = /^ {0,3}(`{3,}|~{3,})[^`\s]*\s*$/.exec(line);
    if (found && !fence) {
      flush(false);
      fence = found[1];
      part.push(line);
    } else {
      part.push(line);
      if (found && fence && line.trim() === fence) {
        flush(true);
        fence = "";
      }
    }
  }
  flush(Boolean(fence));
  return make("div", { class: `message ${role}` }, make("h3", {}, title), said);
}

function verdictOf(turn, before, number) {
  const fact = (good, text) => make("li", { class: good === null ? null : good ? "good" : "bad" }, text);
  const facts = [fact(turn.visible, turn.visible ? "✓ visible tests" : `✗ visible tests: ${words(turn.visible_reason)}`),
    fact(turn.base, turn.base ? "✓ base tests" : "✗ base tests")];
  if (turn.plus !== null) facts.push(fact(turn.plus, turn.plus ? "✓ plus tests" : "✗ plus tests"));
  facts.push(fact(turn.reason === "passed", `verdict: ${words(turn.reason)}`), fact(null, `found by rule: ${words(turn.rule)}`),
    fact(null, turn.strict ? "strict: yes" : "strict: no"), fact(null, `${turn.tokens} tokens`));
  if (turn.finish !== "stop") facts.push(fact(false, `reply ended by: ${words(turn.finish)}`));
  if (turn.same_code) facts.push(fact(null, "same code as before"));
  if (turn.forgeable) facts.push(fact(false, "forgeable"));
  const parts = [make("h3", {}, `verdicts on turn ${number + 1} (not shown to the model)`), make("ul", { class: "facts" }, ...facts)];
  const why = Object.entries(turn.why ?? {});
  if (why.length) {
    parts.push(make("dl", { class: "why" }, ...why.flatMap(([name, value]) =>
      [make("dt", {}, name), make("dd", {}, typeof value === "string" ? value : `${value.name}: ${value.message}`)])));
  }
  if (before && !turn.same_code) {
    parts.push(make("details", { open: true }, make("summary", {}, `Changes to the solution of turn ${number}`),
      codeOf(difference(before.code.split("\n"), turn.code.split("\n")))));
  }
  parts.push(make("details", {}, make("summary", {}, "Solution as it was judged"),
    codeOf(turn.code.split("\n").map((line) => ["", line]))));
  return make("div", { class: "verdict" }, ...parts);
}

function codeOf(pairs) {
  const signs = { add: "+ ", cut: "- ", "": "  " };
  return make("pre", { tabindex: "0" }, ...pairs.map(([kind, line]) => make("span", { class: kind || null }, signs[kind] + line)));
}

/** Compare two lists of lines by their longest common subsequence; very long ones as a whole. */
function difference(old, fresh) {
  if (old.length * fresh.length > 1e6) return [...old.map((line) => ["cut", line]), ...fresh.map((line) => ["add", line])];
  const common = Array.from({ length: old.length + 1 }, () => new Uint32Array(fresh.length + 1));
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = fresh.length - 1; j >= 0; j -= 1) {
      common[i][j] = old[i] === fresh[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const pairs = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < fresh.length) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
      pairs.push(["", old[i]]);
      [i, j] = [i + 1, j + 1];
    } else if (i < old.length && (j === fresh.length || common[i + 1][j] >= common[i][j + 1])) {
      pairs.push(["cut", old[i]]);
      i += 1;
    } else {
      pairs.push(["add", fresh[j]]);
      j += 1;
    }
  }
  return pairs;
}

function listen() {
  at("filters").addEventListener("input", filter);
  at("filters").addEventListener("reset", () => setTimeout(filter));
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("grid").addEventListener("keydown", move);
  at("previous").addEventListener("click", () => step(-1));
  at("next").addEventListener("click", () => step(1));
  at("close").addEventListener("click", () => at("sheet").close());
  at("sheet").addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  at("sheet").addEventListener("click", (event) => event.target === at("sheet") && at("sheet").close());
  at("sheet").addEventListener("close", () => {
    history.replaceState(null, "", location.pathname + location.search);
    cells[open]?.focus();
    open = -1;
  });
}

drawSummary();
if (index.length) {
  drawDialogues();
  listen();
  filter();
  const wanted = decodeURIComponent(location.hash.slice(1));
  document.addEventListener("DOMContentLoaded", () => {
    const number = index.findIndex((entry) => entry.label === wanted);
    if (wanted && number >= 0) show(number);
  });
}
