"""The client against a server that is late, wrong, broken or gone."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from email.utils import formatdate

import pytest
from integration.models.hostile import (
    DONE,
    FINISH,
    HEAD,
    USAGE,
    Answer,
    Request,
    Server,
    chunk,
    delta,
    event,
    raw,
    says,
    status,
    stream,
)

from codeloop.core.dialogue import Finish, Message, Role, Usage
from codeloop.core.errors import ContextOverflowError, ModelError
from codeloop.core.protocols import Model, Reply, Sampling, TokenLogprob
from codeloop.models import openai as openai_module
from codeloop.models.endpoint import parse_endpoint
from codeloop.models.openai import OpenAIModel, Patience
from codeloop.models.served import Served, served_models

ASK = (Message(Role.SYSTEM, "be brief"), Message(Role.USER, "hello, wörld"))
KEY = "sk-very-secret"


class Clock:
    """Time that passes only where the code under test waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def connected(
    server: Server, clock: Clock | None = None, *, timeout_s: float = 20, tries: int = 8
) -> OpenAIModel:
    patience = Patience(timeout_s, tries)
    if clock is not None:
        patience = Patience(timeout_s, tries, clock, clock.sleep, lambda: 1.0)
    return OpenAIModel("m", parse_endpoint(server.url, KEY), patience=patience)


def said(model: Model, sampling: Sampling = Sampling()) -> Reply:
    *pieces, reply = model.stream(ASK, sampling)
    assert isinstance(reply, Reply)
    assert "".join(str(piece) for piece in pieces) == reply.text
    return reply


def answer_of(*answers: Answer, clock: Clock | None = None, timeout_s: float = 20) -> Reply:
    with (
        Server(*answers) as server,
        closing(connected(server, clock, timeout_s=timeout_s)) as model,
    ):
        return said(model)


def failure_of(*answers: Answer, clock: Clock | None = None, timeout_s: float = 20) -> str:
    with pytest.raises(ModelError) as caught:
        answer_of(*answers, clock=clock, timeout_s=timeout_s)
    text = str(caught.value)
    assert "\n" not in text
    assert KEY not in text
    return text


def test_a_reply_is_streamed_whole_with_its_usage() -> None:
    with Server(stream(delta("hel"), delta("lo"), FINISH, USAGE, DONE)) as server:
        model = connected(server)
        assert list(model.stream(ASK, Sampling())) == [
            "hel",
            "lo",
            Reply("hello", Finish.STOP, Usage(5, 2)),
        ]
        model.close()


def test_only_what_was_set_is_sent() -> None:
    with Server(says()) as server, closing(connected(server)) as model:
        said(model)
        said(model, Sampling(0.0, 0.9, 64, 7, ("\n\n",), 3))
        first, second = (request.json for request in server.requests)
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello, wörld"},
    ]
    always = {
        "model": "m",
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert first == always
    assert second == always | {
        "temperature": 0.0,
        "top_p": 0.9,
        "max_tokens": 64,
        "seed": 7,
        "stop": ["\n\n"],
        "logprobs": True,
        "top_logprobs": 3,
    }


def test_the_key_goes_into_the_header_alone() -> None:
    with Server(says()) as server, closing(connected(server)) as model:
        said(model)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert KEY.encode() not in server.requests[0].body
        assert KEY not in repr(parse_endpoint(server.url, KEY))


def test_a_connection_is_used_again() -> None:
    with Server(says()) as server, closing(connected(server)) as model:
        for _ in range(5):
            said(model)
        assert server.connections == 1


def test_a_connection_that_the_server_closed_while_idle_is_replaced_unseen() -> None:
    once = stream(delta("one"), FINISH, DONE)

    def then_hang_up(request: Request) -> None:
        once(request)
        request.keep = False

    with Server(then_hang_up) as server, closing(connected(server)) as model:
        assert [said(model).text for _ in range(3)] == ["one"] * 3


def test_logprobs_come_with_their_alternatives() -> None:
    row = {"token": "hi", "logprob": -0.5, "top_logprobs": [{"token": "ho", "logprob": -1}]}
    reply = answer_of(stream(delta("hi", logprobs={"content": [row]}), FINISH, DONE))
    assert reply.logprobs == (TokenLogprob("hi", -0.5, (("ho", -1.0),)),)


def test_usage_that_the_server_does_not_count_is_estimated() -> None:
    usage = answer_of(stream(delta("four words are here"), FINISH, DONE)).usage
    assert usage.prompt_tokens > 5
    assert usage.completion_tokens >= 4


def test_a_plain_json_answer_to_a_stream_request_is_a_reply() -> None:
    message = {"role": "assistant", "content": "whole"}
    body = {
        "choices": [{"message": message, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    assert answer_of(status(200, body)) == Reply("whole", Finish.LENGTH, Usage(3, 1))


def test_a_reply_is_asked_for_whole_where_nobody_reads_along() -> None:
    body = {"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]}
    with Server(status(200, body)) as server:
        endpoint = parse_endpoint(server.url, KEY)
        with closing(OpenAIModel("m", endpoint, streamed=False)) as model:
            assert said(model).text == "whole"
        assert not {"stream", "stream_options"} & set(server.requests[0].json)


def test_a_stream_under_a_wrong_content_type_is_a_reply() -> None:
    body = delta("hid") + delta("den") + FINISH + DONE
    assert answer_of(status(200, body, Content_Type="text/plain")).text == "hidden"


def test_utf8_may_be_cut_anywhere() -> None:
    text = "grüße 世界 🎉 e\u0301"
    whole = json.dumps({"choices": [{"delta": {"content": text}}]}, ensure_ascii=False)
    data = f"data: {whole}\n\n{FINISH}{DONE}".encode()
    for size in (1, 2, 3, 7):
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        assert answer_of(stream(*parts)).text == text


def test_comments_crlf_and_other_fields_do_not_matter() -> None:
    text = ": ping\r\n\r\nevent: x\r\nid: 1\r\n" + delta("ok").replace("\n", "\r\n")
    assert answer_of(stream(text, FINISH, DONE)).text == "ok"


def test_a_stream_may_end_without_done() -> None:
    assert answer_of(stream(delta("ok"), FINISH)).text == "ok"
    assert answer_of(stream(delta("ok"), FINISH, end=False)).text == "ok"


def test_an_endpoint_that_is_down_is_named_after_some_tries(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    patience = Patience(60, 8, clock, clock.sleep, lambda: 1.0)
    model = OpenAIModel("m", parse_endpoint(f"127.0.0.1:{port}"), patience=patience)
    with pytest.raises(ModelError, match=f"m at 127.0.0.1:{port}/v1: nothing listens there"):
        said(model)
    assert clock.waits == [0.5, 1.0, 2.0]


def test_a_host_that_does_not_exist_is_said_to_be_unknown(clock: Clock) -> None:
    patience = Patience(60, 1, clock, clock.sleep)
    model = OpenAIModel("m", parse_endpoint("http://no-such-host.invalid/v1"), patience=patience)
    with pytest.raises(ModelError, match="name is not known: check the base URL"):
        said(model)


@pytest.mark.parametrize("code", [408, 409, 429, 500, 502, 503])
def test_what_passes_is_tried_again(code: int, clock: Clock) -> None:
    assert answer_of(status(code), status(code), says("ok"), clock=clock).text == "ok"
    assert clock.waits == [0.5, 1.0]


def test_retry_after_is_obeyed_in_seconds_and_as_a_date(clock: Clock) -> None:
    date = formatdate(time.time() + 9, usegmt=True)
    answers = (status(429, Retry_After="7"), status(503, Retry_After=date), says("ok"))
    assert answer_of(*answers, clock=clock).text == "ok"
    assert clock.waits == [7.0, pytest.approx(9, abs=1.5)]


def test_a_wait_beyond_the_deadline_is_not_begun(clock: Clock) -> None:
    text = failure_of(status(429, Retry_After="3600"), clock=clock, timeout_s=30)
    assert "429 (after 1 tries; no time is left for another)" in text
    assert clock.waits == []


def test_500_for_ever_ends_at_the_deadline(clock: Clock) -> None:
    text = failure_of(status(500, {"error": "oops"}), clock=clock, timeout_s=10)
    assert "500 (oops)" in text
    assert clock.now <= 10


def test_500_for_ever_ends_after_so_many_tries(clock: Clock) -> None:
    failure_of(status(500), clock=clock, timeout_s=1e6)
    assert len(clock.waits) == 7


def test_half_a_stream_is_said_to_be_one() -> None:
    for answer in (stream(delta("par"), end=False), stream(delta("par"))):
        assert "in the middle of the reply" in failure_of(answer)


def test_after_the_first_piece_nothing_is_tried_again() -> None:
    with Server(stream(delta("par"), end=False)) as server, closing(connected(server)) as model:
        with pytest.raises(ModelError):
            said(model)
        assert len(server.requests) == 1


def test_a_stream_that_breaks_before_the_first_piece_is_tried_again(clock: Clock) -> None:
    broken = (raw(""), raw(HEAD), stream(event({"choices": []}), end=False))
    assert answer_of(*broken, says("ok"), clock=clock).text == "ok"


def stall(request: Request) -> None:
    request.send(HEAD)
    request.send(chunk(delta("par")))
    request.wait_gone()


def drip(data: bytes) -> Answer:
    def answer(request: Request) -> None:
        while not request.gone.wait(0.02):
            try:
                request.send(data)
            except OSError:
                request.gone.set()

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda request: request.wait_gone(), id="silence"),
        pytest.param(drip(b"H"), id="a status line that drips"),
        pytest.param(lambda r: [r.send("HTTP/1.1 200 OK\r\n"), drip(b"A: b\r\n")(r)], id="headers"),
        pytest.param(lambda r: [r.send(HEAD), drip(chunk(": ping\n"))(r)], id="pings alone"),
        pytest.param(lambda r: [r.send(HEAD), drip(b"0")(r)], id="a chunk size that drips"),
    ],
)
def test_the_deadline_holds_whatever_drips(answer: Answer) -> None:
    start = time.monotonic()
    text = failure_of(answer, timeout_s=0.4)
    assert "no end of the answer within 0.4 s" in text or "HTTP" in text
    assert time.monotonic() - start < 5


def test_a_stream_that_stalls_ends_at_the_deadline() -> None:
    text = failure_of(stall, timeout_s=0.4)
    assert "the time was up in the middle of the reply" in text


def test_timeout_s_of_a_call_goes_before_that_of_the_model() -> None:
    with Server(stall) as server, closing(connected(server)) as model:
        pieces = model.stream(ASK, Sampling(), timeout_s=0.3)
        with pytest.raises(ModelError, match="time was up"):
            list(pieces)


def test_a_server_that_never_ends_its_answer_costs_no_more_than_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def linger(request: Request) -> None:
        request.send(HEAD + chunk(delta("ok") + FINISH).decode())
        request.wait_gone()

    monkeypatch.setattr(openai_module, "USAGE_S", 0.1)
    assert answer_of(linger).text == "ok"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(404, "<html>no</html>"), "404 nothing there: check the base URL"),
        (status(200, "<!doctype html><p>hi"), "answers with a web page"),
        (status(200, {"object": "list"}), "not with a chat completion"),
        (status(401, {"error": {"message": f"bad key {KEY}"}}), r"key is refused.*bad key \*\*\*"),
        (status(403, {}), "403 access is denied"),
        (status(307, Location="http://evil.example/v1"), "redirected to http://evil.example/v1"),
        (
            status(400, {"error": {"message": "no\nsuch\x1b[31m thing"}}),
            r"400 \(no such \[31m thing",
        ),
        (raw("SSH-2.0-OpenSSH\r\n"), "does not speak HTTP"),
        (stream("data: {oops\n\n"), "no chat chunk: b'{oops'"),
        (stream("data: 17\n\n"), "no chat chunk"),
        (stream(event({"choices": [{"delta": {"content": 5}}]})), "no chat chunk"),
        (stream(event({"error": {"message": "out of memory"}})), "broke off: out of memory"),
        (stream(delta("a"), event({"error": "boom"})), "broke off: boom"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(answer: Answer, words: str, clock: Clock) -> None:
    with pytest.raises(ModelError, match=words):
        answer_of(answer, clock=clock)
    failure_of(answer, clock=clock)


def test_redirects_are_not_followed() -> None:
    with Server(says("stolen")) as other:
        failure_of(status(308, Location=other.url))
        assert other.requests == []


def test_an_overflow_is_told_apart() -> None:
    message = "This model's maximum context length is 4096 tokens. However, you requested 5000"
    with pytest.raises(ContextOverflowError, match="4096"):
        answer_of(status(400, {"error": {"message": message}}))
    with pytest.raises(ContextOverflowError):
        answer_of(stream(event({"error": {"code": "context_length_exceeded", "message": "x"}})))


def test_an_endless_line_and_an_endless_stream_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless_line(request: Request) -> None:
        request.send(HEAD)
        request.send_endlessly(chunk(b"x" * 65536))

    assert "an event of more than" in failure_of(endless_line)
    monkeypatch.setattr(openai_module, "ANSWER_BYTES", 1 << 20)

    def endless_stream(request: Request) -> None:
        request.send(HEAD)
        request.send_endlessly(chunk(": ping\n\n" * 999))

    assert "the reply has more than" in failure_of(endless_stream)


@pytest.mark.parametrize("name", ["stream_options", "max_tokens"])
def test_a_parameter_that_the_server_does_not_know_is_left_out(name: str) -> None:
    hint = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
    refusal = status(400, {"error": {"message": f"Unsupported parameter: '{name}'.{hint}"}})
    with Server(refusal, says("ok")) as server, closing(connected(server)) as model:
        assert said(model, Sampling(max_tokens=5)).text == "ok"
        said(model, Sampling(max_tokens=5))
        asked = [name in request.json for request in server.requests]
        assert asked == [True, False, False]
        if hint:
            assert server.requests[1].json["max_completion_tokens"] == 5


def test_a_refused_value_of_a_parameter_is_an_error() -> None:
    refusal = status(400, {"error": {"message": "max_tokens must be positive"}})
    assert "max_tokens must be positive" in failure_of(refusal)


def test_closing_the_iterator_hangs_up_at_once() -> None:
    with Server(stall) as server, closing(connected(server)) as model:
        pieces = model.stream(ASK, Sampling())
        assert next(pieces) == "par"
        pieces.close()
        assert server.requests[0].gone.wait(5)


def test_closing_the_model_ends_what_is_in_flight() -> None:
    with Server(stall) as server:
        model = connected(server)
        pieces = model.stream(ASK, Sampling())
        next(pieces)
        with ThreadPoolExecutor(1) as pool:
            rest = pool.submit(list, pieces)
            model.close()
            with pytest.raises(ModelError, match="closed while a call was under way"):
                rest.result(10)
        assert server.requests[0].gone.wait(5)
        with pytest.raises(ModelError, match="closed"):
            said(model)


def test_64_streams_in_flight_do_not_mix() -> None:
    gate = threading.Barrier(64, timeout=20)

    def echo(request: Request) -> None:
        gate.wait()  # all are in flight at once
        text = request.json["messages"][0]["content"]
        stream(*(delta(letter) for letter in text), FINISH, DONE)(request)

    def ask(model: Model, number: int) -> str:
        messages = (Message(Role.USER, f"number {number}"),)
        return "".join(p for p in model.stream(messages, Sampling()) if isinstance(p, str))

    with (
        Server(echo) as server,
        closing(connected(server)) as model,
        ThreadPoolExecutor(64) as pool,
    ):
        for _ in range(2):
            texts = list(pool.map(lambda number: ask(model, number), range(64)))
            assert texts == [f"number {number}" for number in range(64)]
        assert server.connections <= 128


def test_base_urls_of_all_forms_reach_the_same_path() -> None:
    with Server(says()) as server:
        root = f"http://127.0.0.1:{server.port}"
        for url in (root, root + "/", root + "/v1", root + "/v1/", root + "/v1/chat/completions"):
            with closing(OpenAIModel("m", parse_endpoint(url))) as model:
                said(model)
        assert {request.path for request in server.requests} == {"/v1/chat/completions"}


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(says("by proxy")) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with closing(OpenAIModel("m", parse_endpoint("http://models.example/v1"))) as model:
            assert said(model).text == "by proxy"
        (request,) = proxy.requests
        assert request.path == "http://models.example:80/v1/chat/completions"


def test_a_proxy_that_refuses_a_tunnel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(raw("HTTP/1.1 403 Forbidden\r\n\r\n")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        endpoint = parse_endpoint("https://models.example/v1")
        model = OpenAIModel("m", endpoint, patience=Patience(20, 1, sleep=lambda _: None))
        with pytest.raises(ModelError, match="connection broke"):
            said(model)
        assert proxy.requests[0].path == "models.example:443"


def test_tls_to_a_server_without_it_says_so() -> None:
    with Server(says(), greeting=b"HTTP/1.1 400 Bad\r\n\r\n") as server:
        endpoint = parse_endpoint(f"https://127.0.0.1:{server.port}/v1")
        with pytest.raises(ModelError, match="no TLS there"):
            said(OpenAIModel("m", endpoint))


@pytest.mark.parametrize(
    ("row", "tokens"),
    [
        ({"id": "a", "max_model_len": 4096}, 4096),
        ({"id": "a", "meta": {"n_ctx": 2048}}, 2048),
        ({"id": "a"}, None),
    ],
)
def test_an_endpoint_tells_what_it_serves(row: dict[str, object], tokens: int | None) -> None:
    with Server(status(200, {"data": [row]})) as server:
        assert served_models(parse_endpoint(server.url)) == (Served("a", tokens),)
        assert server.requests[0].path == "/v1/models"


@pytest.mark.parametrize("body", ["[]", "{}", '{"data": 5}', "oops", ""])
def test_an_endpoint_that_lists_nonsense_is_said_to(body: str) -> None:
    with Server(status(200, body)) as server, pytest.raises(ModelError, match=r"no JSON|no sense"):
        served_models(parse_endpoint(server.url))
