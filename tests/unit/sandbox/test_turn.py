"""Whose turn it is with a session."""

import threading

import pytest

from codeloop.core.errors import SandboxError
from codeloop.sandbox.stateful.turn import Turn


def test_a_run_refuses_all_that_come_meanwhile() -> None:
    turn = Turn()
    with turn.take():
        assert turn.runs
        for short in (True, False):
            with pytest.raises(SandboxError, match="something else"), turn.take(short=short):
                raise AssertionError
        assert turn.runs
    with turn.take(short=True):
        assert not turn.runs


def test_a_short_request_is_waited_for() -> None:
    turn = Turn()
    order = []
    began = threading.Event()

    def request() -> None:
        with turn.take(short=True):
            began.set()
            order.append("request")
            threading.Event().wait(0.05)
            order.append("done")

    thread = threading.Thread(target=request)
    thread.start()
    began.wait()
    with turn.take():
        order.append("run")
    thread.join()
    assert order == ["request", "done", "run"]


def test_the_turn_is_given_back_whatever_happens() -> None:
    turn = Turn()
    with pytest.raises(KeyError), turn.take():
        raise KeyError
    turn.await_end(0)
    with turn.take():
        pass
