from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from fakes import failed, ok
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.codeblocks import split_text
from codeloop.core.dialogue import Role, Source
from codeloop.core.execution import Display, ExecutionResult, Status
from codeloop.server.openai.forms import read_form
from codeloop.server.openai.history import History, content_text, read_back, told_result
from codeloop.server.openai.prose import Prose
from codeloop.server.openai.telling import outputs_of
from codeloop.server.openai.visits import key_of
from codeloop.server.refusals import RefusalError

PICTURE = Display((("text/plain", "<Figure>"), ("image/png", "aGk=")))


def test_a_reply_that_was_sent_with_outputs_is_read_back_as_the_turns_it_was() -> None:
    first = "Try:\n\n```python\nprint(x)\n```\n"
    second = "Again:\n\n```py\nx = 1\n```\n\n```python\nx\n```\nDone."
    sent = "\n\n".join(
        [
            *(first, told_result(0, failed("NameError", "x")), second),
            *(told_result(0, ok()), told_result(1, replace(ok("1\n"), displays=(PICTURE,)))),
            "It is 1.",
        ]
    )
    one, two, three = read_back(sent)
    assert (one.reply, one.failed) == (first.strip(), True)
    assert "NameError: x" in one.results[0].stdout.text
    assert [cell.code for cell in two.cells] == ["x = 1\n", "x\n"]
    assert [result.stdout.text for result in two.results] == ["", "1\n"]
    assert [each.source for each in two.feedback] == [Source.EXECUTION]
    assert (three.reply, three.cells) == ("It is 1.", ())


def test_a_limit_that_ended_a_run_is_read_back() -> None:
    sent = f"```python\nx\n```\n\n{told_result(0, ExecutionResult(Status.WALL_LIMIT))}\n\nOh."
    assert "*wall limit*" in sent
    one, two = read_back(sent)
    assert one.results[0].status is Status.WALL_LIMIT
    assert two.reply == "Oh."


def test_what_others_wrote_is_one_turn_without_runs() -> None:
    (turn,) = read_back("Use:\n\n```python\nx\n```\n\n```output\n1\n```\n")
    assert turn.results == ()


def test_an_exchange_opens_with_our_words_then_the_clients_then_its_first_requests() -> None:
    history = History()
    for role, text in [
        ("developer", "Be brief."),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
    ]:
        history.take(role, text)
    dialogue = history.dialogue(runs_code=True)
    assert [each.role for each in dialogue.opening] == [Role.SYSTEM, Role.USER]
    assert dialogue.opening[0].content.endswith("\n\nBe brief.")
    assert [each.text for each in dialogue.turns[0].feedback] == ["c"]


@pytest.mark.parametrize("said", [[], [("user", "a"), ("assistant", "b")], [("tool", "x")]])
def test_an_exchange_in_which_nobody_asks_is_refused(said: list[tuple[str, str]]) -> None:
    def whole() -> None:
        history = History()
        for role, text in said:
            history.take(role, text)
        history.dialogue(runs_code=False)

    with pytest.raises(RefusalError):
        whole()


@pytest.mark.parametrize(
    "content", [1, [1], [{"type": "input_image", "image_url": "x"}], [{"type": "text", "text": 1}]]
)
def test_content_that_is_no_text_is_refused(content: Any) -> None:
    with pytest.raises(RefusalError):
        content_text(content)


def test_an_exchange_is_found_by_what_was_said_in_it_but_for_the_system() -> None:
    said = [("user", "a"), ("assistant", "b\n")]
    assert key_of(said) == key_of([("system", "x"), ("user", "a"), ("assistant", "b")])
    assert key_of(said) != key_of([("user", "ab")])


def test_outputs_are_logs_and_pictures() -> None:
    result = replace(ok("1\n"), displays=(PICTURE, Display((("text/plain", "2"),))))
    assert outputs_of(result) == [
        {"type": "logs", "logs": "1\n2\n"},
        {"type": "image", "url": "data:image/png;base64,aGk="},
    ]
    assert outputs_of(ExecutionResult(Status.WALL_LIMIT)) == [
        {"type": "logs", "logs": "wall limit"}
    ]
    assert outputs_of(ok()) == []


lines = st.lists(
    st.sampled_from(
        ["", "text", "```python", "```", "~~~py", "~~~", "```js", "`x` and", "  ", "x = 1"]
    )
)


@given(lines.map("\n".join), st.lists(st.integers(1, 9), min_size=1))
def test_prose_is_the_same_however_the_reply_is_cut(text: str, sizes: list[int]) -> None:
    whole, cut = Prose(frozenset({"python"})), Prose(frozenset({"python"}))
    expected = whole.feed(text) + whole.end()
    shown, at = "", 0
    for size in [*sizes, *[len(text)] * bool(text)]:
        shown += cut.feed(text[at : at + size])
        at += size
    assert shown + cut.end() == expected


def test_prose_holds_back_code_of_the_languages_and_no_other_block() -> None:
    text = "A\n```python\nx\n```\nB\n```js\ny\n```\nC ```inline``` D\n```text\nz\n```"
    prose = Prose(frozenset({"python"}))
    assert prose.feed(text) + prose.end() == (
        "A\nB\n```js\ny\n```\nC ```inline``` D\n```text\nz\n```"
    )
    assert split_text(text)


def form(*parts: tuple[str, str, bytes], boundary: str = "b0") -> tuple[str, bytes]:
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, file, data in parts
    )
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


@given(st.binary(max_size=200).filter(lambda data: b"--b0" not in data))
def test_a_form_gives_its_files_byte_for_byte(data: bytes) -> None:
    kind, body = form(("purpose", "", b"user_data"), ("file", '; filename="a \\"b\\".txt"', data))
    assert read_form(kind, body) == {"purpose": (None, b"user_data"), "file": ('a "b".txt', data)}


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"", 415),
        ("multipart/form-data", b"", 415),
        ("multipart/form-data; boundary=b", b"", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--", 400),
        (*form(*[("a", "", b"")] * 40), 413),
    ],
)
def test_what_is_no_form_is_refused(kind: str, body: bytes, status: int) -> None:
    with pytest.raises(RefusalError) as refused:
        read_form(kind, body)
    assert refused.value.status_code == status


@given(st.text(max_size=80), st.binary(max_size=200))
def test_no_form_whatever_it_holds_is_more_than_refused(boundary: str, body: bytes) -> None:
    with suppress(RefusalError):
        read_form(f"multipart/form-data; boundary={boundary}", body)
