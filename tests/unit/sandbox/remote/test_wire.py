"""Orders and answers come out as they went in; nothing else does."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.execution import (
    Display,
    ExecutionLimits,
    ExecutionResult,
    GuestError,
    Output,
    Status,
)
from codeloop.sandbox.pool import Program
from codeloop.sandbox.remote.wire import (
    Answer,
    Order,
    decode_answer,
    decode_order,
    encode_answer,
    encode_order,
)

TEXTS = st.text(st.characters(codec=None))  # lone surrogates too
IDS = st.text(min_size=1, max_size=128)
SECONDS = st.floats(0, 1e6)
SIZES = st.integers(0, 2**60)
LIMITS = st.builds(ExecutionLimits, SECONDS, SECONDS, SIZES, SIZES, SIZES)
PROGRAMS = st.builds(
    Program,
    TEXTS,
    TEXTS,
    st.binary(),
    st.lists(st.tuples(TEXTS, st.binary()), max_size=3).map(tuple),
    LIMITS,
)
OUTPUTS = st.builds(Output, TEXTS, SIZES, st.booleans())
RESULTS = st.builds(
    ExecutionResult,
    st.sampled_from(Status),
    OUTPUTS,
    OUTPUTS,
    st.none() | st.integers(0, 255),
    st.none() | st.integers(1, 64),
    st.none() | st.builds(GuestError, TEXTS, TEXTS, st.none() | SIZES),
    st.lists(
        st.builds(Display, st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple)), max_size=2
    ).map(tuple),
    SECONDS,
    SECONDS,
    SIZES,
)
ANSWERS = st.builds(Answer, IDS, st.none() | RESULTS, TEXTS, TEXTS, st.booleans())


@given(st.builds(Order, IDS, PROGRAMS))
def test_an_order_comes_out_as_it_went_in(order: Order) -> None:
    line = encode_order(order)
    assert line.isascii()
    assert line.index(b"\n") == len(line) - 1
    assert decode_order(line) == order


@given(ANSWERS)
def test_an_answer_comes_out_as_it_went_in(answer: Answer) -> None:
    line = encode_answer(answer)
    assert line.index(b"\n") == len(line) - 1
    assert decode_answer(line) == answer


@given(st.binary())
def test_other_bytes_are_refused_in_one_way(data: bytes) -> None:
    for decode in (decode_order, decode_answer):
        with pytest.raises(ValueError, match=r"."):
            decode(data)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"id": "a"},
        {"id": "", "code": ""},
        {"id": "a" * 129, "code": ""},
        {"id": 1, "code": ""},
        {"id": "a", "code": None},
        {"id": "a", "code": "", "stdin": "not base64!"},
        {"id": "a", "code": "", "stdin": "é"},
        {"id": "a", "code": "", "files": {"name": ""}},
        {"id": "a", "code": "", "files": [["name", "?"]]},
        {"id": "a", "code": "", "limits": {"cpu_s": "1"}},
        {"id": "a", "code": "", "limits": {"sudo": True}},
        {"id": "a", "code": "", "more": 1},
    ],
)
def test_an_order_with_a_fault_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_order(json.dumps(fields).encode())


def test_a_text_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(ValueError, match=r"nested too deep"):
        decode_order(b"[" * 100_000)
