"""The level that asks: only about what is near, and it takes the model's word."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from codeloop.core.problem import Problem
from codeloop.dataset.decontamination.asking import Asking
from codeloop.dataset.decontamination.leaks import Decontamination, Level
from codeloop.dataset.records import Query
from codeloop.models.scripted import ScriptedModel

PROBLEMS = [
    Problem("P/1", "Count the vowels of a word.", (), "count_vowels"),
    Problem("P/2", "Compute a checksum of bytes.", (), "checksum"),
]


@pytest.mark.parametrize(("reply", "leaks"), [("Yes.", 1), ("no", 0), ("", 0)])
def test_the_model_s_word_counts(reply: str, leaks: int) -> None:
    wanted = Decontamination(PROBLEMS, asking=Asking(ScriptedModel([reply]), most=1))
    found = wanted.leaks(Query("How many vowels has a word?"))
    assert len(found) == leaks
    assert all((each.level, each.problem) == (Level.ASKED, "P/1") for each in found)


def test_nobody_is_asked_about_what_is_far() -> None:
    wanted = Decontamination(PROBLEMS, asking=Asking(ScriptedModel([])))
    assert wanted.leaks(Query("Sort a table.")) == ()


def test_vectors_say_what_is_near_if_they_are_given() -> None:
    def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([[1, 0] if "checksum" in text else [0, 1] for text in texts], np.float32)

    asking = Asking(ScriptedModel(["yes"]), embed, most=1)
    (leak,) = Decontamination(PROBLEMS, asking=asking).leaks(Query("A checksum, please"))
    assert leak.problem == "P/2"
