"""What of a row may give a problem away: its whole text, and the Python code in it."""

import ast
import warnings
from dataclasses import dataclass

from codeloop.core.codeblocks import find_blocks
from codeloop.core.dialogue import Role
from codeloop.dataset.records import Example, Query

_CODES = 8  # of a row; its last ones, where a dialogue has more


@dataclass(frozen=True, slots=True)
class Passage:
    """A row's id, what it asks, all that it says, and each piece of Python that defines something.

    A piece by itself may need what one before it defines: so the last is all of them together.
    """

    id: str
    asked: str
    text: str
    codes: tuple[str, ...]


def passage(row: Query | Example) -> Passage:
    """Return what of a row may give a problem away."""
    match row:
        case Query():
            said = [row.query, row.answer]
            asked, name = row.query, row.id
        case Example():
            said = [each.content for each in row.dialogue.opening if each.role is not Role.SYSTEM]
            asked, name = "\n".join(said), row.dialogue.id
            for turn in row.dialogue.turns:
                said += [turn.reply, *(each.text for each in turn.feedback if each.text)]
    return Passage(name, asked, "\n\n".join(said), _codes(said))


def _codes(said: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for text in said:
        blocks = find_blocks(text)
        given = [each.code for each in blocks if each.language in {"", "python"}]
        found += [code for code in given or ([] if blocks else [text]) if defines(code)]
    unique = list(dict.fromkeys(found))[-_CODES:]
    if len(unique) > 1 and defines(together := "\n\n".join(unique)):
        unique.append(together)
    return tuple(unique)


def defines(code: str) -> bool:
    """Whether a text is Python that defines a function or a class."""
    if "def " not in code:
        return False
    tree = parsed(code)
    return tree is not None and any(
        isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body
    )


def parsed(code: str) -> ast.Module | None:
    """Return the tree of a Python text, None if it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its escapes, which are not ours to mend
            return ast.parse(code.replace("\r\n", "\n").strip("\n"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
