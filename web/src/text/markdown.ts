// A model's Markdown as HTML that can do no harm: no HTML of its own, no image from elsewhere, no style.
import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";

const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false });

markdown.renderer.rules["image"] = (tokens, index) => {
  const token = tokens[index];
  const words = markdown.utils.escapeHtml(token?.content || "image");
  return `<span class="no-image" title="Images from elsewhere are not loaded">${words}</span>`;
};

const ALLOWED = {
  ALLOWED_TAGS: [
    ...["p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code"],
    ...["em", "strong", "s", "del", "a", "table", "thead", "tbody", "tr", "th", "td", "span"],
  ],
  ALLOWED_ATTR: ["href", "title", "class", "start", "target", "rel"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
};

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

/** Return Markdown as HTML to set as it is. */
export function rendered(text: string): string {
  return DOMPurify.sanitize(markdown.render(text), ALLOWED);
}
