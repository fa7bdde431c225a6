"""The kinds of faults that can be planted, and a fault: what it changes and how it is told."""

import ast
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from codeloop.dataset.mutation.source import Edit, Source, edited


class Family(StrEnum):
    """What sort of mistake a fault is."""

    SYNTAX = "syntax"
    NAME = "name"
    TYPE = "type"
    BOUND = "bound"
    LOGIC = "logic"
    LOOP = "loop"
    SHARING = "sharing"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that can be planted in a right source: the edits that do it.

    `right` and `wrong` are the piece of code before and after, each in one line; one of them is
    empty where a statement is taken out. `line` is where the right source is touched, from 1.
    `name` is what the words speak of beside them; `form` picks among the words of a kind.
    """

    kind: str
    edits: tuple[Edit, ...]
    line: int
    right: str
    wrong: str
    name: str = ""
    form: str = ""

    def plant(self, text: str) -> str:
        """Return the source with the fault in it."""
        return edited(text, self.edits)


Find = Callable[[Source], Iterator[Fault | None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: its name, its family, what it does in few words, and where it applies."""

    name: str
    family: Family
    about: str
    find: Find

    def places(self, source: Source) -> list[Fault]:
        """Return the faults of this kind that a source may have, in the order of the text."""
        return [fault for fault in self.find(source) if fault is not None]

    def fits(self, fault: Fault, source: Source) -> bool:
        """Return whether what comes of it is a program, or none if that is what it is for.

        What Python would warn of counts as none. Use it in one thread at a time.
        """
        text = fault.plant(source.text)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", SyntaxWarning)
                tree = ast.parse(text)
        except (SyntaxError, ValueError):
            return self.family is Family.SYNTAX
        if self.family is Family.SYNTAX:
            return False
        return ast.dump(tree) != ast.dump(source.tree)


def make(
    source: Source,
    kind: str,
    *edits: Edit | None,
    around: ast.AST | None = None,
    name: str = "",
    form: str = "",
) -> Fault | None:
    """Return a fault with the piece of code that it touches; None if that cannot be quoted."""
    given = tuple(edit for edit in edits if edit is not None)
    if not given or len(given) != len(edits):
        return None
    pair = source.quoted(given, around)
    if pair is None:
        return None
    line = source.line_at(min(each.start for each in given))
    return Fault(kind, given, line, *pair, name=name, form=form)


def take_out(
    source: Source, kind: str, statement: ast.stmt, *, name: str = "", form: str = ""
) -> Fault | None:
    """Return the fault that a statement is missing; told by its first line."""
    edit = source.without(statement)
    right = source.line(statement.lineno).strip()
    if edit is None or "`" in right:
        return None
    return Fault(kind, (edit,), statement.lineno, right, "", name=name, form=form)
