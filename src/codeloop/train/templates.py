"""The chat template of a model: what it makes of messages, and which of that a model learns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from codeloop.core.dialogue import Role
from codeloop.core.errors import ConfigError
from codeloop.train.rendering import Kind, Sample, TrainMessage, marked, plain
from codeloop.train.rewriting import rewritings

Span = tuple[int, int]

_SAID = "xq7"  # what no template says
_PROBES = (
    (Role.USER, Role.ASSISTANT),
    (Role.USER, Role.ASSISTANT, Role.USER, Role.ASSISTANT, Role.USER, Role.ASSISTANT),
    (Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.USER, Role.ASSISTANT),
)


@dataclass(frozen=True, slots=True)
class Template:
    """A chat template: as it is served, as it is trained with, and the text that ends a reply."""

    inference: str
    training: str
    stop: str


def training_template(tokenizer: Any, source: str | None = None) -> Template:
    """Return a tokenizer's chat template made trainable; `source` stands in for its own.

    One that has `{% generation %}` already is taken as it is.

    Raises:
        ConfigError: it has none, or no rewriting of it marks what a model writes.
    """
    source = source or tokenizer.chat_template
    if not isinstance(source, str) or not source:
        msg = "the model has no chat template: give one with `template: FILE`"
        raise ConfigError(msg)
    stop = stop_text(tokenizer, source)
    probes = [each for each in map(_probe, _PROBES) if _takes(tokenizer, source, each)]
    if not probes:
        msg = "the chat template takes no dialogue of user and assistant"
        raise ConfigError(msg)
    own = [source] if "endgeneration" in source else []
    for candidate in (*own, *rewritings(source, stop)):
        template = Template(source, candidate, stop)
        if all(_fits(tokenizer, template, each) for each in probes):
            return template
    msg = (
        "the chat template cannot be made trainable by itself: put {% generation %} and "
        "{% endgeneration %} around what the model writes, its stop token included, and name "
        "that file with `template: FILE`"
    )
    raise ConfigError(msg)


def rendered(tokenizer: Any, template: str, messages: Sequence[TrainMessage], **extra: bool) -> str:
    """Return the text that a template makes of messages, as a serving engine would."""
    text: str = tokenizer.apply_chat_template(
        plain(messages), chat_template=template, tokenize=False, **extra
    )
    return text


def learned_spans(
    tokenizer: Any, template: Template, samples: Sequence[Sample]
) -> list[tuple[str, list[tuple[Span, Kind]]]]:
    """Return for each row its text, and the spans of it that are learned (in characters).

    A span goes from the end of the prompt to the end of the stop token.

    Raises:
        ConfigError: the template does not take a row's messages.
    """
    from jinja2 import TemplateError  # noqa: PLC0415  of the extra
    from transformers.utils.chat_template_utils import render_jinja_template  # noqa: PLC0415

    try:
        texts, places = render_jinja_template(
            [marked(each.messages) for each in samples],
            chat_template=template.training,
            return_assistant_tokens_mask=True,
            **tokenizer.special_tokens_map,
        )
    except (TemplateError, TypeError) as error:
        msg = f"the chat template does not take the messages: {error}"
        raise ConfigError(msg) from error
    return [
        (text, list(zip(spans, _kinds(sample.messages), strict=True)))
        for text, spans, sample in zip(texts, places, samples, strict=True)
    ]


def prompt_spans(tokenizer: Any, template: Template, sample: Sample) -> list[Span]:
    """Return the spans of a row's learned replies, found without any marks.

    The template as it is served is given the messages before each reply: what it makes of them
    with a generation prompt is where the reply starts. It ends with the next stop token after
    its content. This is the reference that the marks are compared with.

    Raises:
        ConfigError: a prompt is no beginning of the whole text.
    """
    whole = rendered(tokenizer, template.inference, sample.messages)
    found = []
    for at, each in enumerate(sample.messages):
        if not each.learned:
            continue
        prompt = rendered(
            tokenizer, template.inference, sample.messages[:at], add_generation_prompt=True
        )
        if not whole.startswith(prompt):
            msg = f"{sample.id}: the prompt of a reply is no beginning of the whole text"
            raise ConfigError(msg)
        said = whole.find(each.content.strip(), len(prompt))
        end = whole.find(template.stop, said + len(each.content.strip()))
        found.append((len(prompt), len(whole) if end < 0 else end + len(template.stop)))
    return found


def stop_text(tokenizer: Any, source: str) -> str:
    """Return the special token that ends a reply in a template.

    Raises:
        ConfigError: there is none, so that a model could never learn to stop.
    """
    messages = _probe(_PROBES[0]).messages
    whole = rendered(tokenizer, source, messages)
    rest = whole[whole.rindex(_SAID) + len(_SAID) :]
    tokens = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    places = [(rest.index(each), -len(each), each) for each in tokens if each and each in rest]
    if not places:
        msg = (
            "no special token ends a reply in the chat template: the model could not learn to "
            "stop; give another with `template: FILE`"
        )
        raise ConfigError(msg)
    _, _, stop = min(places)
    return str(stop)


def _kinds(messages: Iterable[TrainMessage]) -> list[Kind]:
    return [each.kind for each in messages if each.learned]


def _probe(roles: Sequence[Role]) -> Sample:
    """Return messages of those roles, the contents with quotes, braces and blank lines."""
    return Sample(
        "probe",
        tuple(
            TrainMessage(
                role, f"{{'a': \"{at}\"}}\n\n  b {_SAID}", role is Role.ASSISTANT, Kind.PROSE
            )
            for at, role in enumerate(roles)
        ),
    )


def _takes(tokenizer: Any, source: str, probe: Sample) -> bool:
    """Return whether a template takes messages of such roles: some refuse a system's."""
    from jinja2 import TemplateError  # noqa: PLC0415  of the extra

    try:
        text = rendered(tokenizer, source, probe.messages)
    except TemplateError:
        return False
    return text.count(_SAID) == len(probe.messages)


def _fits(tokenizer: Any, template: Template, probe: Sample) -> bool:
    """Return whether the marks of a template are right for a row, and its text as before."""
    try:
        ((text, spans),) = learned_spans(tokenizer, template, [probe])
    except (ConfigError, ValueError):
        return False
    whole = rendered(tokenizer, template.inference, probe.messages)
    return text == whole and [each for each, _ in spans] == prompt_spans(tokenizer, template, probe)
