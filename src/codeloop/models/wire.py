"""The Chat Completions format: what is asked in it, and what an answer says."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from codeloop.core.dialogue import Finish, Message, Usage, plain_messages
from codeloop.core.protocols import Reply, Sampling, TokenLogprob
from codeloop.models.estimate import estimate_text_tokens, estimate_tokens

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
FINISHES = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "content_filter": Finish.FILTER,
}


def request_body(
    name: str,
    messages: Sequence[Message],
    sampling: Sampling,
    *,
    without: frozenset[str],
    streamed: bool = True,
) -> bytes:
    """Return the request; what is None is left out, and so is what the server does not know."""
    body: dict[str, Any] = {
        "model": name,
        "messages": plain_messages(messages),
        "stream": streamed or None,
        "stream_options": {"include_usage": True} if streamed else None,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
    }
    if sampling.top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
    if "max_tokens" in without:  # the newer name, which most servers do not know
        body["max_completion_tokens"] = body["max_tokens"]
    sent = {key: value for key, value in body.items() if value is not None and key not in without}
    return _ENCODER.encode(sent).encode("utf-8", "replace")


@dataclass(slots=True)
class ReplyBuilder:
    """Collects the chunks of one answer into a `Reply`."""

    texts: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish: Finish | None = None
    usage: Usage | None = None
    _held: str = ""  # the first half of a character that a server split in two

    def add(self, chunk: dict[str, Any]) -> str:
        """Take a chunk, or a whole answer; return the text that it adds.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: it does not have the format.
        """
        if usage := chunk.get("usage"):
            self.usage = Usage(
                int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
            )
        choices = chunk.get("choices")
        if not choices:
            return ""
        choice = choices[0]
        if reason := choice.get("finish_reason"):
            self.finish = FINISHES.get(reason, Finish.STOP)
        if logprobs := choice.get("logprobs"):
            self.logprobs.extend(_logprob(row) for row in logprobs.get("content") or ())
        spoken = choice.get("delta") or choice.get("message") or {}
        text = self._whole(_text(spoken.get("content")))
        if text:
            self.texts.append(text)
        return text

    def reply(self, messages: Sequence[Message]) -> Reply:
        """Return the reply to the messages; what a server does not count is estimated."""
        text = "".join(self.texts)
        usage = self.usage or Usage(estimate_tokens(messages), estimate_text_tokens(text))
        return Reply(text, self.finish or Finish.STOP, usage, tuple(self.logprobs))

    def _whole(self, text: str) -> str:
        if not self._held and text.isascii():
            return text
        text = self._held + text
        self._held = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text(content: Any) -> str:
    """Return the text of a message's content: a string, or a list of parts."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content)
    if not isinstance(content, str):
        msg = "content is no text"
        raise TypeError(msg)
    return content


def _logprob(row: dict[str, Any]) -> TokenLogprob:
    top = tuple((each["token"], float(each["logprob"])) for each in row.get("top_logprobs") or ())
    return TokenLogprob(row["token"], float(row["logprob"]), top)
