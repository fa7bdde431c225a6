// Code with colours, line by line, so that a line can be pointed at.
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import cpp from "highlight.js/lib/languages/cpp";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import sql from "highlight.js/lib/languages/sql";

hljs.registerLanguage("bash", bash);
hljs.registerLanguage("cpp", cpp);
hljs.registerLanguage("javascript", javascript);
hljs.registerLanguage("json", json);
hljs.registerLanguage("python", python);
hljs.registerLanguage("sql", sql);

const NAMES: Readonly<Record<string, string>> = { c: "cpp", java: "cpp", typescript: "javascript", js: "javascript", py: "python", sh: "bash" };
const MOST = 60_000; // characters; more is shown without colours

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/** Return each line of the code as HTML that holds nothing but text and spans with classes. */
export function highlighted(code: string, language: string): string[] {
  const name = NAMES[language] ?? language;
  if (code.length > MOST || !hljs.getLanguage(name)) return escaped(code).split("\n");
  return byLine(hljs.highlight(code, { language: name, ignoreIllegals: true }).value);
}

/** Close the spans that are open at the end of a line, and open them again on the next. */
function byLine(html: string): string[] {
  const open: string[] = [];
  return html.split("\n").map((line) => {
    const begun = open.join("");
    for (const tag of line.match(/<span[^>]*>|<\/span>/g) ?? [])
      if (tag === "</span>") open.pop();
      else open.push(tag);
    return begun + line + "</span>".repeat(open.length);
  });
}
