"""Who gets into a node, and who does not."""

import base64
import socket
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import Serve, Served, orders
from starlette.types import Message, Receive, Scope, Send

from codeloop.server.node.gate import Gate
from codeloop.server.node.metrics import Metrics

TOKEN = "correct horse"
BASIC = "Basic " + base64.b64encode(b"any:" + TOKEN.encode()).decode()
Connect = Callable[[Served], socket.socket]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer wrong",
        f"bearer {TOKEN}x",
        f"Digest {TOKEN}",
        "Basic ?",
        "Basic " + base64.b64encode(b"any:wrong").decode(),
        "Basic " + base64.b64encode(TOKEN.encode()).decode(),
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
    ],
)
def test_a_wrong_token_gets_nowhere(serve: Serve, header: str) -> None:
    served = serve(token=TOKEN)
    headers = {"Authorization": header} if header else {}
    assert served.post("/v1/runs", orders(("a", "1")), **headers).status == 401
    assert served.http.request("GET", "/metrics", headers=headers).status == 401
    assert served.http.request("GET", "/nowhere", headers=headers).status == 401
    assert not served.pool.ran


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer  {TOKEN} ", BASIC])
def test_the_token_lets_in(serve: Serve, header: str) -> None:
    served = serve(token=TOKEN)
    assert served.post("/v1/runs", orders(("a", "1")), Authorization=header).status == 200


def test_a_probe_needs_no_token_but_a_wrong_one_is_told(serve: Serve) -> None:
    served = serve(token=TOKEN)
    assert served.http.request("GET", "/health").status == 200
    wrong = {"Authorization": "Bearer wrong"}
    assert served.http.request("GET", "/health", headers=wrong).status == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8900", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8900", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:8900", 421),
        ("[::1", 200),
    ],
)
def test_without_a_token_only_loopback_names_are_taken(
    serve: Serve, host: str, status: int
) -> None:
    served = serve()
    assert served.http.request("GET", "/health", headers={"Host": host}).status == status


def test_names_can_be_listed(serve: Serve) -> None:
    served = serve(token=TOKEN, hosts=frozenset({"node-7"}))
    assert served.http.request("GET", "/health", headers={"Host": "node-7:8900"}).status == 200
    assert served.http.request("GET", "/health", headers={"Host": "node-8"}).status == 421


@pytest.mark.parametrize(
    "header",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_a_web_page_is_refused(serve: Serve, header: dict[str, str]) -> None:
    served = serve()
    assert served.post("/v1/runs", orders(("a", "1")), **header).status == 403
    assert not served.pool.ran


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_a_form_of_a_page_can_send_is_refused(serve: Serve, kind: str) -> None:
    served = serve()
    assert served.post("/v1/runs", orders(("a", "1")), **{"Content-Type": kind}).status == 415


def test_a_body_too_large_is_refused_before_it_is_read(serve: Serve, connect: Connect) -> None:
    sock = connect(serve())
    sock.sendall(
        b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 99999999999\r\n\r\n"
    )
    assert sock.recv(1 << 16).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\xff\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nA: " + b"b" * 200_000 + b"\r\n\r\n",
    ],
)
def test_what_is_not_http_does_no_harm(serve: Serve, connect: Connect, data: bytes) -> None:
    served = serve()
    sock = connect(served)
    sock.sendall(data)
    assert sock.recv(1 << 16).startswith(b"HTTP/1.1 4")
    assert served.http.request("GET", "/health").status == 200


def test_a_request_that_breaks_off_does_no_harm(serve: Serve, connect: Connect) -> None:
    served = serve()
    sock = connect(served)
    sock.sendall(
        b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{"
    )
    sock.close()
    assert served.order(("a", "1"))["a"].result is not None


HEADERS = st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=40)), max_size=4)


@given(HEADERS, st.binary(max_size=60))
def test_no_header_opens_the_gate_by_accident(
    headers: list[tuple[bytes, bytes]], authorization: bytes
) -> None:
    reached: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope)

    async def send(message: Message) -> None:
        pass

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    given = [*headers, (b"authorization", authorization)]
    scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": given}
    gate = Gate(app, TOKEN, frozenset(), Metrics([]))
    with pytest.raises(StopIteration):
        gate(scope, receive, send).__await__().__next__()
    assert not reached
