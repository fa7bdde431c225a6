"""What a node answers to orders, in its own form."""

import threading

import pytest
from served import Serve, orders

from codeloop.core.errors import DataError, SandboxError
from codeloop.core.execution import ExecutionLimits
from codeloop.sandbox.pool import Program
from codeloop.sandbox.remote.wire import Order, encode_order


def test_every_order_is_answered_once(serve: Serve) -> None:
    served = serve()
    answers = served.order(*((f"id-{n}", f"code {n}") for n in range(8)))
    texts = {id_: each.result.stdout.text for id_, each in answers.items() if each.result}
    assert texts == {f"id-{n}": f"code {n}" for n in range(8)}
    assert len(served.pool.ran) == 8


def test_answers_come_as_soon_as_they_are_known(serve: Serve) -> None:
    served = serve()
    stream = served.http.request(
        "POST",
        "/v1/runs",
        body=orders(("a", "1")),
        headers={"Content-Type": "application/x-ndjson"},
        preload_content=False,
    )
    assert b'"id":"a"' in next(stream.stream(1 << 16))
    stream.drain_conn()


def test_an_order_sent_again_is_not_run_again(serve: Serve) -> None:
    served = serve()
    first = served.order(("a", "1"))
    assert served.order(("a", "1")) == first
    assert len(served.pool.ran) == 1
    assert 'codeloop_node_repeated_total{form="own"} 1' in served.counts()


def test_an_order_sent_again_while_it_runs_is_not_run_again(serve: Serve) -> None:
    served = serve(is_open=False)
    first: list[object] = []
    thread = threading.Thread(target=lambda: first.append(served.order(("a", "1"))))
    thread.start()
    assert served.pool.begun.acquire(timeout=60)
    opener = threading.Timer(0.2, served.pool.gate.set)
    opener.start()
    second = served.order(("a", "1"))
    thread.join()
    opener.join()
    assert first == [second]
    assert len(served.pool.ran) == 1


def test_an_id_of_another_program_is_refused_and_nothing_of_the_batch_is_begun(
    serve: Serve,
) -> None:
    served = serve()
    served.order(("a", "1"))
    answer = served.post("/v1/runs", orders(("b", "2"), ("a", "3")))
    assert answer.status == 409
    assert "another program" in answer.json()["detail"]
    assert len(served.pool.ran) == 1


def test_what_our_sandbox_failed_is_no_result_and_is_run_anew(serve: Serve) -> None:
    served = serve()
    served.pool.errors["1"] = SandboxError("the zygote died")
    assert served.order(("a", "1"))["a"].broken == "the zygote died"
    served.pool.errors.clear()
    answer = served.order(("a", "1"))["a"]
    assert answer.result is not None
    assert not answer.broken
    assert 'codeloop_node_broken_total{form="own"} 1' in served.counts()


def test_a_node_whose_sandbox_fails_run_after_run_is_not_well(serve: Serve) -> None:
    served = serve()
    served.pool.errors["1"] = SandboxError("the zygote died")
    for number in range(7):
        served.order((f"id-{number}", "1"))
    assert served.http.request("GET", "/health").status == 200
    served.order(("id-7", "1"))
    health = served.http.request("GET", "/health")
    assert (health.status, health.json()["status"]) == (503, "broken")
    served.order(("id-8", "2"))
    assert served.http.request("GET", "/health").status == 200


def test_an_order_at_fault_is_refused_by_itself(serve: Serve) -> None:
    served = serve()
    served.pool.errors["1"] = DataError("'a/b': not a plain file name")
    answers = served.order(("a", "1"), ("b", "2"))
    assert answers["a"].refused == "'a/b': not a plain file name"
    assert answers["b"].result is not None


def test_a_bug_of_ours_is_no_result_either(serve: Serve) -> None:
    served = serve()
    served.pool.errors["1"] = ZeroDivisionError("by zero")
    assert "ZeroDivisionError" in served.order(("a", "1"))["a"].broken


def test_a_full_backlog_takes_all_of_a_batch_or_nothing(serve: Serve) -> None:
    served = serve(is_open=False, slots=1, room=2)
    thread = threading.Thread(target=served.order, args=(("a", "1"), ("b", "2")))
    thread.start()
    assert served.pool.begun.acquire(timeout=60)
    answer = served.post("/v1/runs", orders(("c", "3"), ("d", "4")))
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) >= 1
    served.pool.gate.set()
    thread.join()
    assert set(served.order(("c", "3"), ("d", "4"))) == {"c", "d"}
    assert 'codeloop_node_refused_total{reason="full"} 1' in served.counts()


def test_a_batch_that_can_never_fit_is_told_so(serve: Serve) -> None:
    served = serve(slots=1, room=1)
    assert served.post("/v1/runs", orders(("a", ""), ("b", ""), ("c", ""))).status == 413


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{}", "line 1"),
        (b"\n\nnonsense", "line 3"),
        (b"\xff\xfe", "line 1"),
        (b"[" * 50_000, "nested too deep"),
        (orders(("a", ""), ("a", "")), "there twice"),
        (encode_order(Order("a", Program("", limits=ExecutionLimits(wall_s=1e9)))), "wall_s"),
        (encode_order(Order("a", Program("", limits=ExecutionLimits(processes=-1)))), "processes"),
        (b'{"id":"a","code":"","limits":{"cpu_s":NaN}}', "cpu_s"),
        (b'{"id":"a","code":"","limits":{"cpu_s":1e999}}', "cpu_s"),
    ],
)
def test_a_body_with_a_fault_is_refused(serve: Serve, body: bytes, text: str) -> None:
    served = serve()
    answer = served.post("/v1/runs", body)
    assert answer.status == 400
    assert text in answer.json()["detail"]
    assert not served.pool.ran


def test_an_empty_body_is_an_empty_batch(serve: Serve) -> None:
    assert serve().order() == {}
