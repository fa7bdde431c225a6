"""A pool over nodes: every program gets one result, whatever becomes of a node."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes import ok
from served import Serve

from codeloop.core.errors import ConfigError, DataError, SandboxError
from codeloop.core.execution import ExecutionResult
from codeloop.sandbox.pool import Program
from codeloop.sandbox.remote import RemotePool, open_nodes

Join = Callable[..., RemotePool]


def programs(count: int) -> list[Program]:
    return [Program(str(number)) for number in range(count)]


def texts(results: Iterator[ExecutionResult]) -> list[str]:
    return [result.stdout.text for result in results]


def test_one_program_has_its_result(serve: Serve, join: Join) -> None:
    node = serve()
    program = Program("1", "cpp", b"\xff", (("a.txt", b"\x00"),))
    assert join(node).run(program) == ok("1")
    assert node.pool.ran == [program]


def test_results_come_in_order_from_all_nodes(serve: Serve, join: Join) -> None:
    nodes = [serve(slots=2, room=64), serve(slots=3, room=64)]
    pool = join(*nodes)
    assert pool.slots == 5
    assert texts(pool.run_many(programs(200))) == [str(number) for number in range(200)]
    assert sum(len(node.pool.ran) for node in nodes) == 200
    assert all(node.pool.ran for node in nodes)


def test_many_threads_can_use_one_pool(serve: Serve, join: Join) -> None:
    pool = join(serve(room=64))
    with ThreadPoolExecutor(16) as executor:
        results = executor.map(pool.run, programs(100))
        assert texts(results) == [str(number) for number in range(100)]


def test_programs_are_taken_as_they_are_needed(serve: Serve, join: Join) -> None:
    taken: list[str] = []

    def endless() -> Iterator[Program]:
        while True:
            taken.append(str(len(taken)))
            yield Program(taken[-1])

    results = join(serve(slots=1, room=64)).run_many(endless())
    assert texts(iter([next(results) for _ in range(5)])) == list("01234")
    results.close()  # type: ignore[attr-defined]
    assert len(taken) < 20


def test_a_node_that_dies_is_not_missed(serve: Serve, join: Join) -> None:
    dying, living = serve(is_open=False, room=64), serve(room=64)
    pool = join(dying, living)
    results = pool.run_many(programs(50))
    got = threading.Thread(target=lambda: seen.extend(texts(results)))
    seen: list[str] = []
    got.start()
    assert dying.pool.begun.acquire(timeout=60)
    dying.die()
    dying.pool.gate.set()
    got.join()
    assert seen == [str(number) for number in range(50)]


def test_a_node_that_drains_hands_on_what_it_has_not_begun(serve: Serve, join: Join) -> None:
    leaving, staying = serve(is_open=False, slots=1, room=64), serve(slots=1, room=64)
    pool = join(leaving, staying)
    seen: list[str] = []
    got = threading.Thread(target=lambda: seen.extend(texts(pool.run_many(programs(30)))))
    got.start()
    assert leaving.pool.begun.acquire(timeout=60)
    stopper = threading.Thread(target=leaving.service.stop)
    stopper.start()
    while not leaving.node.draining:
        time.sleep(0.005)
    leaving.pool.gate.set()
    got.join()
    stopper.join()
    assert seen == [str(number) for number in range(30)]
    assert len(leaving.pool.ran) + len(staying.pool.ran) == 30


def test_a_node_that_is_full_is_asked_again(serve: Serve, join: Join) -> None:
    node = serve(is_open=False, slots=1, room=1)
    pool = join(node)
    with ThreadPoolExecutor(2) as executor:
        other = executor.submit(node.order, ("a", "x"), ("b", "y"))
        assert node.pool.begun.acquire(timeout=60)
        result = executor.submit(pool.run, Program("1"))
        while 'reason="full"} 0' in node.counts():
            time.sleep(0.01)
        node.pool.gate.set()
        assert result.result() == ok("1")
        assert len(other.result()) == 2


def test_what_a_node_s_sandbox_fails_is_tried_again_and_then_raised(
    serve: Serve, join: Join
) -> None:
    node = serve()
    node.pool.errors["1"] = SandboxError("the zygote died")
    pool = join(node)
    with pytest.raises(SandboxError, match=r"5 times.*the zygote died"):
        pool.run(Program("1"))
    assert pool.run(Program("2")) == ok("2")


def test_a_node_whose_sandbox_is_broken_is_left(serve: Serve, join: Join) -> None:
    broken, well = serve(slots=1), serve(slots=1)
    for number in range(60):
        broken.pool.errors[str(number)] = SandboxError("the zygote died")
    pool = join(broken, well)
    for program in programs(60):
        assert pool.run(program) == ok(program.code)
    assert pool.slots == 1
    assert broken.node.state == "broken"


def test_a_program_at_fault_is_raised_as_such(serve: Serve, join: Join) -> None:
    node = serve()
    node.pool.errors["1"] = DataError("'a/b': not a plain file name")
    with pytest.raises(DataError, match="not a plain file name"):
        join(node).run(Program("1"))


def test_without_a_node_there_is_no_pool(serve: Serve) -> None:
    dead = serve()
    dead.service.stop()
    with pytest.raises(SandboxError, match=r"no node is alive: .*127\.0\.0\.1"):
        open_nodes([f"http://127.0.0.1:{dead.service.port}"])


def test_when_the_last_node_dies_all_are_told_why(serve: Serve, join: Join) -> None:
    node = serve(is_open=False)
    pool = join(node)
    errors: list[SandboxError] = []

    def run() -> None:
        with pytest.raises(SandboxError) as caught:
            pool.run(Program("1"))
        errors.append(caught.value)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert node.pool.begun.acquire(timeout=60)
    node.die()
    for thread in threads:
        thread.join()
    assert len(errors) == 3
    assert all("no node is alive" in str(error) for error in errors)
    with pytest.raises(SandboxError):
        pool.run(Program("2"))


def test_a_wrong_token_is_told(serve: Serve, join: Join) -> None:
    node = serve(token="right")
    with pytest.raises(SandboxError, match="401"):
        join(node, token="wrong")
    assert join(node, token="right").run(Program("1")) == ok("1")


def test_a_closed_pool_fails_who_waits(serve: Serve, join: Join) -> None:
    node = serve(is_open=False)
    pool = join(node)
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(pool.run, Program("1"))
        assert node.pool.begun.acquire(timeout=60)
        pool.close()
        with pytest.raises(SandboxError, match="closed"):
            future.result(timeout=60)
    with pytest.raises(SandboxError, match="closed"):
        pool.run(Program("2"))


def test_results_that_nobody_takes_are_not_run(serve: Serve, join: Join) -> None:
    node = serve(is_open=False, slots=1, room=64)
    results = join(node).run_many(programs(5))
    taker = threading.Thread(target=lambda: [next(results)])
    taker.start()
    assert node.pool.begun.acquire(timeout=60)
    node.pool.gate.set()
    taker.join()
    node.pool.gate.clear()
    results.close()  # type: ignore[attr-defined]
    node.pool.gate.set()


@pytest.mark.parametrize("url", ["", "node:8900", "ftp://node", "http://", "http://[::1"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(ConfigError):
        open_nodes([url])


def test_no_url_at_all_is_told() -> None:
    with pytest.raises(ConfigError):
        open_nodes([])


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" + b'{"slots":-1}',
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000,
    ],
)
def test_what_is_no_node_is_told(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reply() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        with pytest.raises(SandboxError, match="no node is alive"):
            open_nodes([f"http://127.0.0.1:{server.getsockname()[1]}"])
        thread.join()
