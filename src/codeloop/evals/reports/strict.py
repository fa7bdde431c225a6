"""What a strict reader of replies would have taken for the solution, and what it would score."""

from collections.abc import Sequence

from codeloop.core.codeblocks import find_blocks
from codeloop.evals.extraction import Rule
from codeloop.evals.rows import Row


def is_strict(reply: str, code: str, language: str) -> bool:
    """Whether a reply has exactly one closed block in the language, and it is the whole solution.

    Where the lenient rules put the prompt before a block, the block alone is not the whole.
    """
    blocks = [block for block in find_blocks(reply) if block.language == language]
    return len(blocks) == 1 and blocks[0].closed and blocks[0].code.strip() == code.strip()


def strict_turns(row: Row, language: str) -> list[bool]:
    """Return for each turn of a record whether a strict reader has its solution too.

    A turn without code keeps the solution of the turn before, for both.
    """
    strict: list[bool] = []
    replies = [turn["reply"] for turn in row["dialogue"]["turns"]]
    for turn, reply in zip(row["turns"], replies, strict=True):
        kept = turn["rule"] == Rule.KEPT.value
        before = bool(strict and strict[-1])
        strict.append(before if kept else is_strict(reply, turn["code"], language))
    return strict


def strictly(rows: Sequence[Row], language: str) -> list[Row]:
    """Return records as a strict reader would have them: other solutions do not pass."""
    return [row | {"turns": _turns(row, language)} for row in rows]


def _turns(row: Row, language: str) -> list[Row]:
    pairs = zip(row["turns"], strict_turns(row, language), strict=True)
    failed = {"base": False, "plus": False}
    return [turn if strict else turn | failed for turn, strict in pairs]
