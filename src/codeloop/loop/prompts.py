"""The one place where text for a model is made, from the structured record of a dialogue."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Template

from codeloop.core.dialogue import Cell, Dialogue, Feedback, Message, Role, Skipped, Source, Turn
from codeloop.core.execution import ExecutionResult, Status
from codeloop.core.problem import Trace, TraceBlock, Verdict

SHOWN_CHARACTERS = 2000  # of each output; half from its head, half from its tail

_NAMED_LIMITS = frozenset(
    {Status.CPU_LIMIT, Status.WALL_LIMIT, Status.MEMORY_LIMIT, Status.OUTPUT_LIMIT}
)
_TEXTS = Path(__file__).parent / "texts"


@cache
def text(name: str) -> str:
    """Return the prompt text of that name, from `texts/`."""
    return (_TEXTS / f"{name}.md").read_text(encoding="utf-8").strip()


@cache
def sections(name: str) -> dict[str, Template]:
    """Return the sections of a prompt text: what follows each `## heading`."""
    parts = ("\n" + text(name)).split("\n## ")[1:]
    pairs = (part.partition("\n") for part in parts)
    return {heading.strip(): Template(body.strip()) for heading, _, body in pairs}


@cache
def variants(name: str) -> dict[str, tuple[Template, ...]]:
    """Return the sections of a prompt text that say one thing in several ways.

    The ways stand below each other, with a line `---` between them.
    """
    return {
        heading: tuple(Template(way.strip()) for way in whole.template.split("\n---\n"))
        for heading, whole in sections(name).items()
    }


def render(dialogue: Dialogue, *, trimmed_turns: int = 0, dropped_turns: int = 0) -> list[Message]:
    """Return the messages that a model is shown for a dialogue.

    The outputs of the first `trimmed_turns` turns are left out, and the first `dropped_turns`
    turns altogether.
    """
    messages = list(dialogue.opening)
    for index, turn in enumerate(dialogue.turns):
        if index < dropped_turns:
            continue
        messages.append(Message(Role.ASSISTANT, turn.reply))
        answer = feedback_text(turn, trimmed=index < trimmed_turns)
        if answer:
            messages.append(Message(Role.USER, answer))
    return messages


def shrinking(dialogue: Dialogue) -> Iterator[list[Message]]:
    """Yield the messages of a dialogue, each time shorter: oldest outputs go first, then turns.

    The opening and the newest turn stay whole in every version.
    """
    older = max(0, len(dialogue.turns) - 1)
    yield render(dialogue)
    for count in range(1, older + 1):
        yield render(dialogue, trimmed_turns=count)
    for count in range(1, older + 1):
        yield render(dialogue, trimmed_turns=older, dropped_turns=count)


def feedback_text(turn: Turn, *, trimmed: bool = False) -> str:
    """Return what a model is told after its turn; empty if nobody said anything.

    A person who goes on after a run sees its output, so the model is shown it too.
    """
    return "\n\n".join(text for _, text in feedback_parts(turn, trimmed=trimmed))


def feedback_parts(turn: Turn, *, trimmed: bool = False) -> tuple[tuple[Source, str], ...]:
    """Return what a model is told after its turn, piece by piece, with who says it.

    The pieces make the text of `feedback_text`, with an empty line between two.
    """
    if not turn.feedback:
        return ()
    parts = [(Source.EXECUTION, _execution_text(turn, trimmed=trimmed))] if turn.cells else []
    parts += [(feedback.source, _said(feedback, turn)) for feedback in turn.feedback]
    return tuple((source, text) for source, text in parts if text)


def _said(feedback: Feedback, turn: Turn) -> str:
    if feedback.source is Source.JUDGE and turn.verdict is not None:
        return verdict_text(turn.verdict)
    if feedback.source is not Source.EXECUTION:
        return feedback.text
    cut_off = any(cell.skipped is Skipped.CUT_OFF for cell in turn.cells)
    ask = "ask_fix" if turn.failed or cut_off else "ask_continue"
    return sections("execution")[ask].substitute()


def verdict_text(verdict: Verdict) -> str:
    """Return a verdict in words: why, the test that failed, and what is asked for."""
    say = sections("judge")
    limit = verdict.limit.value if verdict.limit in _NAMED_LIMITS else "other_limit"
    parts = [say[verdict.reason.value].substitute(limit=say[limit].substitute())]
    error = verdict.error
    if error is not None:
        form = "error" if error.line is None else "error_in_line"
        told = say[form].substitute(name=error.name, message=error.message, line=error.line)
        parts.append(_fenced(_shortened(told)))
    for name in ("test", "input", "expected", "actual"):
        shown = getattr(verdict, name)
        if shown and not (name == "input" and verdict.test):
            parts += [say[name].substitute(), _fenced(_shortened(shown))]
    if verdict.trace is not None:
        parts += [say["trace"].substitute(), _fenced(_shortened(_trace_text(verdict.trace)))]
    return "\n".join([*parts, say["ask_fix"].substitute()])


def _trace_text(trace: Trace) -> str:
    """Return a trace in words: its blocks in their order, and where some are left out."""
    say = sections("judge")
    texts = [_block_text(block) for block in trace.blocks]
    left_out = trace.count - len(texts)
    if left_out > 0:
        half = len(texts) // 2
        texts.insert(half, say["trace_left_out"].substitute(count=left_out))
    if not trace.whole:
        texts.append(say["trace_cut"].substitute())
    return "\n".join(texts)


def _block_text(block: TraceBlock) -> str:
    say = sections("judge")
    lines = [f"{number}: {source}" for number, source in block.lines]
    values = ", ".join(f"{name} = {value}" for name, value in block.values)
    if values:
        lines.append(say["trace_values"].substitute(values=values))
    for name, value in (("trace_returned", block.returned), ("trace_raised", block.raised)):
        if value:
            lines.append(say[name].substitute(function=block.function, value=value))
    return "\n".join(lines)


def _execution_text(turn: Turn, *, trimmed: bool) -> str:
    reports = [_cell_text(cell, trimmed=trimmed) for cell in turn.cells]
    return "\n\n".join(report for report in reports if report)


def _cell_text(cell: Cell, *, trimmed: bool) -> str:
    say = sections("execution")
    if cell.result is not None:
        return result_text(cell.result, trimmed=trimmed)
    match cell.skipped:
        case Skipped.CUT_OFF:
            return say["cut_off"].substitute()
        case Skipped.EARLIER_FAILED:
            return say["not_run_earlier_failed"].substitute()
        case _:
            return ""


def result_text(result: ExecutionResult, *, trimmed: bool) -> str:
    """Return a result in words: how it ended, then its outputs in fences."""
    say = sections("execution")
    parts = [say[result.status.value].substitute(signal=result.signal)]
    if result.status is Status.ERROR and result.exit_code and result.error is None:
        parts.append(say["exit_code"].substitute(exit_code=result.exit_code))
    displays = "\n".join(display.text() for display in result.displays)
    outputs = [result.stdout.text, displays, result.stderr.text]
    if trimmed:
        parts.append(say["trimmed"].substitute())
    elif not any(outputs):
        parts.append(say["no_output"].substitute())
    else:
        parts += [_fenced(_shortened(output)) for output in outputs if output]
    if result.state_lost:
        parts.append(say["state_lost"].substitute())
    return "\n".join(parts)


def _shortened(output: str) -> str:
    """Return an output with its middle left out, if it is longer than a model is shown."""
    if len(output) <= SHOWN_CHARACTERS:
        return output
    half = SHOWN_CHARACTERS // 2
    left_out = sections("execution")["left_out"].substitute(count=len(output) - 2 * half)
    return f"{output[:half]}\n{left_out}\n{output[-half:]}"


def _fenced(output: str) -> str:
    fence = "```"
    while fence in output:
        fence += "`"
    return f"{fence}text\n{output.rstrip()}\n{fence}"
