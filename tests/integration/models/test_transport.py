"""HTTP as servers speak it: heads and bodies of all forms, cut anywhere."""

import time
from collections.abc import Callable
from contextlib import closing

import pytest
from integration.models.hostile import Answer, Request, Server

from codeloop.models import transport
from codeloop.models.transport import Address, Deadline, Exchange, NotHttpError, Transport

OK = "HTTP/1.1 200 OK\r\n"
CHUNKS = b"4;name=x\r\nabcd\r\n0a\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"
WHOLE = "abcd0123456789"


def kept(data: bytes | str) -> Answer:
    """Send the bytes and wait for the next request."""

    def answer(request: Request) -> None:
        request.keep = True
        request.send(data)

    return answer


def in_bytes(data: bytes | str) -> Answer:
    """Send the bytes one by one."""

    def answer(request: Request) -> None:
        request.keep = True
        for byte in data if isinstance(data, bytes) else data.encode():
            request.send(bytes([byte]))

    return answer


def cut(data: bytes | str) -> Answer:
    """Send the bytes and hang up."""
    return lambda request: request.send(data)


def sent_to(server: Server) -> Transport:
    return Transport(Address("127.0.0.1", server.port), {"X-Test": "1"})


def asked(client: Transport, path: str = "/x") -> Exchange:
    return client.request("POST", path, b"body", Deadline(time.monotonic() + 20))


def read(exchange: Exchange) -> str:
    with closing(exchange):
        return b"".join(iter(exchange.read, b"")).decode()


@pytest.mark.parametrize("send", [kept, in_bytes])
@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (f"{OK}Content-Length: 14\r\n\r\n{WHOLE}", WHOLE),
        (f"{OK}content-length:14\r\n\r\n{WHOLE}", WHOLE),
        (f"{OK}Content-Length: 0\r\n\r\n", ""),
        (f"HTTP/1.1 200\r\nContent-Length: 14\r\n\r\n{WHOLE}", WHOLE),
        (f"HTTP/1.1 200 OK\nContent-Length: 14\n\n{WHOLE}", WHOLE),
        (f"HTTP/1.1 100 Continue\r\n\r\n{OK}Content-Length: 14\r\n\r\n{WHOLE}", WHOLE),
        (f"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 14\r\n\r\n{WHOLE}", WHOLE),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        (f"{OK}Transfer-Encoding: chunked\r\n\r\n".encode() + CHUNKS, WHOLE),
    ],
)
def test_an_answer_is_read_to_its_end_and_the_connection_used_again(
    send: Callable[[bytes | str], Answer], answer: bytes | str, body: str
) -> None:
    with Server(send(answer)) as server, closing(sent_to(server)) as client:
        for _ in range(3):
            assert read(asked(client)) == body
        assert server.connections == 1
        assert {request.body for request in server.requests} == {b"body"}
        assert server.requests[0].headers["x-test"] == "1"
        assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    "answer",
    [
        cut(OK + "\r\n" + WHOLE),
        cut(OK + "A: b\r\n\r\n" + WHOLE),
        kept(f"{OK}Connection: close\r\nContent-Length: 14\r\n\r\n{WHOLE}"),
        kept(f"HTTP/1.0 200 OK\r\nContent-Length: 14\r\n\r\n{WHOLE}"),
        kept(f"{OK}Content-Length: 14\r\n\r\n{WHOLE}HTTP/1.1 500 unasked"),
    ],
)
def test_a_connection_that_does_not_go_on_is_not_used_again(answer: Answer) -> None:
    with Server(answer) as server, closing(sent_to(server)) as client:
        for _ in range(2):
            assert read(asked(client)) == WHOLE
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        f"{OK}Content-Length: 14\r\n\r\nabc",
        f"{OK}Transfer-Encoding: chunked\r\n\r\n4\r\nab",
        f"{OK}Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n",
        f"{OK}Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n",
        f"{OK}Content-Length",
    ],
)
def test_an_answer_that_is_cut_off_is_no_whole_one(answer: str) -> None:
    with Server(cut(answer)) as server, closing(sent_to(server)) as client, pytest.raises(EOFError):
        read(asked(client))


@pytest.mark.parametrize(
    "answer",
    [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        f"{OK}Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        OK + "A: b\r\n" * 20_000,
    ],
)
def test_what_is_not_http_is_said_to_be(answer: str) -> None:
    with (
        Server(cut(answer)) as server,
        closing(sent_to(server)) as client,
        pytest.raises(NotHttpError),
    ):
        read(asked(client))


def test_a_connection_that_was_idle_is_looked_at_before_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = f"{OK}Content-Length: 14\r\n\r\n{WHOLE}"

    def then_speak(request: Request) -> None:
        request.send(whole)
        request.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.setattr(transport, "FRESH_S", 0.0)
    with Server(then_speak, kept(whole)) as server, closing(sent_to(server)) as client:
        assert read(asked(client)) == WHOLE
        time.sleep(0.1)
        exchange = asked(client)
        assert exchange.status == 200
        assert read(exchange) == WHOLE
        assert server.connections == 2
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (Address("h", 80), "h"),
        (Address("h", 8000), "h:8000"),
        (Address("h", 443, tls=True), "h"),
        (Address("h", 80, tls=True), "h:80"),
        (Address("::1", 9), "[::1]:9"),
        (Address("bücher.example", 80), "xn--bcher-kva.example"),
        (Address("localhost", unix="/run/s"), "localhost"),
    ],
)
def test_a_request_names_its_host(address: Address, shown: str) -> None:
    assert address.shown == shown
