"""Simulation and correction with scripted models, whose code runs in the real jail."""

from collections.abc import Iterator

import pytest

from codeloop.core.dialogue import Message, Role, Source
from codeloop.core.execution import ExecutionLimits, Status
from codeloop.core.protocols import Session
from codeloop.dataset.failure import Failure, FailureKind
from codeloop.dataset.records import Example, Query, Way, decode, encode
from codeloop.dataset.ways.correction import CorrectionSettings, Wanted, correct, wrong_text
from codeloop.dataset.ways.simulation import Roles, SimulationSettings, simulate
from codeloop.loop.prompts import text
from codeloop.models.scripted import ScriptedModel
from codeloop.sandbox import Sandbox, open_sandbox

pytestmark = pytest.mark.jail

QUERY = Query("Print the mean of 1, 2 and 6.", source="own", licence="MIT", language="python")
BROKEN = "Here it is.\n```python\nvalues = [1, 2, 6]\nprint(sum(values) / len(value))\n```"
MENDED = "The name was wrong.\n```python\nprint(sum(values) / len(values))\n```"
ASKS = '{"satisfied": false, "feedback": "Print it as a whole number."}'
CONTENT = '{"satisfied": true, "feedback": ""}'


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox() as opened:
        yield opened


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[Session]:
    opened = sandbox.open_session(stateful=True, limits=ExecutionLimits(wall_s=20, cpu_s=20))
    yield opened
    opened.close()


def roles(writer: str, fixer: list[str], user: list[str]) -> Roles:
    return Roles(
        ScriptedModel([writer], name="weak"),
        ScriptedModel(fixer, name="strong"),
        ScriptedModel(user, name="person"),
    )


def test_a_weak_answer_is_run_mended_asked_about_and_run_again(session: Session) -> None:
    cast = roles(BROKEN, [MENDED, "```python\nprint(sum(values) // len(values))\n```"], [ASKS])
    made = simulate(QUERY, cast, session)
    assert isinstance(made, Example)
    first, second, third = made.dialogue.turns
    assert [turn.model for turn in made.dialogue.turns] == ["weak", "strong", "strong"]
    assert first.results[0].error is not None
    assert first.results[0].error.name == "NameError"
    assert first.feedback[0].source is Source.EXECUTION
    assert second.results[0].stdout.text == "3.0\n", "variables live on from turn to turn"
    assert second.feedback[0].source is Source.PERSON
    assert second.feedback[0].text == "Print it as a whole number."
    assert third.results[0].stdout.text == "3\n"
    assert made.models == ("weak", "strong", "person")
    assert (made.way, made.licence) == (Way.SIMULATION, "MIT")
    assert decode(Example, encode(made)) == made


def test_who_is_content_ends_it_and_who_fixed_too_often_is_no_example(session: Session) -> None:
    right = "```python\nprint(3.0)\n```"
    made = simulate(QUERY, roles(right, [], [CONTENT]), session)
    assert isinstance(made, Example)
    assert len(made.dialogue.turns) == 1
    wrong = [f"```python\nprint(missing_{n})\n```" for n in range(9)]
    failed = simulate(QUERY, roles(wrong[0], wrong[1:], []), session)
    assert isinstance(failed, Failure)
    assert failed.kind is FailureKind.UNMENDED


def test_the_fixer_has_as_many_turns_as_it_is_given(session: Session) -> None:
    wrong = [f"```python\nprint(missing_{n})\n```" for n in range(9)]
    cast = roles(wrong[0], wrong[1:], [])
    simulate(QUERY, cast, session, SimulationSettings(fixes=2))
    assert isinstance(cast.fixer, ScriptedModel)
    assert len(cast.fixer.calls) == 2


def test_the_output_of_what_ran_well_is_shown_where_that_is_wanted(session: Session) -> None:
    cast = roles("```python\nprint(3.0)\n```", ["The mean is 3."], [CONTENT])
    made = simulate(QUERY, cast, session, SimulationSettings(explain=True))
    assert isinstance(made, Example)
    assert [turn.ran for turn in made.dialogue.turns] == [True, False]


@pytest.mark.parametrize(
    ("writer", "user", "kind"),
    [
        ("The mean is 3.", CONTENT, FailureKind.NO_CODE),
        ("", CONTENT, FailureKind.EMPTY_REPLY),
        ("```python\nprint(3)\n```", "Fine by me.", FailureKind.UNREADABLE),
    ],
)
def test_what_does_not_run_or_cannot_be_read_is_no_example(
    session: Session, writer: str, user: str, kind: FailureKind
) -> None:
    failed = simulate(QUERY, roles(writer, [], [user]), session)
    assert isinstance(failed, Failure)
    assert failed.kind is kind


WRONG = {
    Wanted.SYNTAX: "print((1 + 2 + 6) / 3",
    Wanted.LOGIC: "mean = (1 + 2 + 6) / 2\nprint(mean)\nassert mean == 3",
    Wanted.TYPE: 'print("mean: " + 9 / 3)',
    Wanted.NAME: "print(totl / 3)",
    Wanted.ENDLESS: "n = 0\nwhile n < 3:\n    n = n * 2",
}
SHORT = CorrectionSettings(run=ExecutionLimits(cpu_s=1, wall_s=10))


def fenced(code: str) -> str:
    return f"This prints the mean.\n```python\n{code}\n```"


@pytest.mark.parametrize("wanted", Wanted)
def test_each_wanted_error_is_shown_by_its_run_and_by_no_other(
    session: Session, wanted: Wanted
) -> None:
    for shown, code in WRONG.items():
        fixer = ScriptedModel([fenced("print(3.0)")], name="strong")
        models = ScriptedModel([fenced(code)], name="weak"), fixer
        made = correct(QUERY, wanted, models, session, SHORT)
        if shown is not wanted:
            assert isinstance(made, Failure)
            assert made.kind is FailureKind.NOT_SHOWN
            continue
        assert isinstance(made, Example)
        first, last = made.dialogue.turns
        assert first.failed
        assert last.results[-1].status is Status.OK
        assert made.way is Way.CORRECTION


def test_the_text_that_asked_for_the_error_is_replaced_by_the_normal_one(session: Session) -> None:
    writer = ScriptedModel([fenced(WRONG[Wanted.NAME])], name="weak")
    fixer = ScriptedModel([fenced("print(3.0)")], name="strong")
    made = correct(QUERY, Wanted.NAME, (writer, fixer), session)
    assert isinstance(made, Example)
    (asked,) = writer.calls[0].messages
    assert asked == Message(Role.USER, wrong_text(QUERY.query, Wanted.NAME))
    assert made.dialogue.opening[0].content == text("system")
    assert made.dialogue.opening[1].content == QUERY.query
    assert "as if it were right" not in encode(made)
    shown = fixer.calls[0].messages
    assert [message.role for message in shown] == [
        Role.SYSTEM,
        Role.USER,
        Role.ASSISTANT,
        Role.USER,
    ]
    assert shown[0].content == text("system")
    assert "NameError" in shown[-1].content


@pytest.mark.parametrize(
    ("writer", "fixer", "kind"),
    [
        (fenced("print(totl)  # misspelt on purpose"), "", FailureKind.REVEALED),
        ("It has a bug.\n" + fenced("print(totl)"), "", FailureKind.REVEALED),
        (fenced("print(3)"), "", FailureKind.NOT_SHOWN),
        ("No.", "", FailureKind.NO_CODE),
        (fenced("print(totl)"), "I do not know.", FailureKind.UNMENDED),
        (fenced("print(totl)"), fenced("print(totl)"), FailureKind.UNMENDED),
    ],
)
def test_an_error_that_is_told_of_or_not_mended_is_no_example(
    session: Session, writer: str, fixer: str, kind: FailureKind
) -> None:
    models = ScriptedModel([writer], name="weak"), ScriptedModel([fixer] * 3, name="strong")
    failed = correct(QUERY, Wanted.NAME, models, session)
    assert isinstance(failed, Failure)
    assert failed.kind is kind
