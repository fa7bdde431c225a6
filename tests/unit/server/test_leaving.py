"""A client that goes, and a node that has to."""

import socket
import threading
import time
from collections.abc import Callable

import pytest
import urllib3
from served import Serve, Served, orders

from codeloop.sandbox.remote.wire import Answer

Connect = Callable[[Served], socket.socket]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_when_a_client_goes_what_it_ordered_is_not_begun(serve: Serve, connect: Connect) -> None:
    served = serve(is_open=False, slots=1)
    body = orders(*((f"id-{n}", str(n)) for n in range(6)))
    sock = connect(served)
    sock.sendall(
        b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    assert served.pool.begun.acquire(timeout=60)
    assert served.node.backlog.waiting == 5
    sock.close()
    wait_for(lambda: served.node.backlog.waiting == 0)
    served.pool.gate.set()
    wait_for(lambda: served.node.backlog.running == 0)
    assert [program.code for program in served.pool.ran] == ["0"]


def test_when_a_trainer_goes_what_it_sent_is_not_begun(serve: Serve, connect: Connect) -> None:
    served = serve(is_open=False, slots=1)
    backlog, sockets = served.node.backlog, []
    for number in range(3):
        body = b'{"language": "python", "code": "%d"}' % number
        sockets.append(connect(served))
        sockets[-1].sendall(
            b"POST /run_code HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        wait_for(lambda: backlog.waiting + backlog.running == len(sockets))
    sockets[1].close()
    wait_for(lambda: served.node.backlog.waiting == 1)
    served.pool.gate.set()
    for sock in (sockets[0], sockets[2]):
        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 200")
    assert [program.code for program in served.pool.ran] == ["0", "2"]


def test_what_ran_for_a_client_that_went_is_there_when_it_comes_back(
    serve: Serve, connect: Connect
) -> None:
    served = serve(is_open=False, slots=1)
    body = orders(("a", "1"))
    sock = connect(served)
    sock.sendall(
        b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    assert served.pool.begun.acquire(timeout=60)
    sock.close()
    wait_for(served.node.idle.is_set)
    served.pool.gate.set()
    assert served.order(("a", "1"))["a"].result is not None
    assert len(served.pool.ran) == 1


def test_a_node_that_stops_finishes_what_runs_and_hands_back_what_waits(serve: Serve) -> None:
    served = serve(is_open=False, slots=1)
    answers: dict[str, Answer] = {}
    client = threading.Thread(target=lambda: answers.update(served.order(("a", "1"), ("b", "2"))))
    client.start()
    assert served.pool.begun.acquire(timeout=60)
    stopper = threading.Thread(target=served.service.stop)
    stopper.start()
    wait_for(lambda: served.node.draining)
    refused = served.post("/v1/runs", orders(("c", "3")))
    assert refused.status == 503
    assert "Retry-After" in refused.headers
    health = served.http.request("GET", "/health")
    assert health.status == 503
    assert health.json()["status"] == "draining"
    served.pool.gate.set()
    client.join()
    stopper.join()
    assert answers["a"].result is not None
    assert answers["b"] == Answer("b", returned=True)
    with pytest.raises(urllib3.exceptions.HTTPError):
        served.http.request("GET", "/health")
