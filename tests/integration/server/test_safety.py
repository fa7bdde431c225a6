"""What product security asks of the server, each point by a test of its own."""

import socket
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_server import ChatClient, Client, PageServer, StartPage
from starlette.routing import Route

from codeloop.core.errors import ConfigError
from codeloop.loop.limits import Limits
from codeloop.models import connect
from codeloop.sandbox.stateful.pool import PoolLimits
from codeloop.server.chats.cleaning import clean
from codeloop.server.chats.line import LineLimits
from codeloop.server.opening import Lent, PageSettings, open_page

pytestmark = pytest.mark.jail
ROOT = Path(__file__).parents[3]


def routes(server: PageServer) -> list[tuple[str, str]]:
    """Return each method and path of the API."""
    starlette = server.server.config.app._app  # type: ignore[union-attr]
    return [
        (method, route.path)
        for route in starlette.routes
        if isinstance(route, Route)
        for method in (route.methods or ())
        if method != "HEAD"
    ]


# 1. loopback, hosts, origins


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.9"])
def test_others_than_this_machine_are_let_in_only_on_purpose(host: str, tmp_path: Path) -> None:
    for options in ({}, {"exposed": True}, {"token": "t"}):
        page = PageSettings(tmp_path, host=host, **options)
        with (
            pytest.raises(ConfigError, match="--expose"),
            open_page(page, Lent(["m"], connect)),
        ):
            pass


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil:80"]
)
def test_a_name_that_was_made_to_point_here_is_refused_on_every_route(
    start: StartPage, host: str
) -> None:
    server = start()
    for method, path in routes(server):
        assert server.client.ask(method, path, Host=host).status == 421, path


def test_a_page_of_another_place_is_refused_on_every_route(start: StartPage) -> None:
    server = start()
    own = f"http://127.0.0.1:{server.port}"
    for method, path in routes(server):
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": f"http://localhost:{server.port}"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
        ):
            assert server.client.ask(method, path, **headers).status == 403, (path, headers)
    answer = server.client.get("/api/state", Origin=own, Sec_Fetch_Site="same-origin")
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


# 2. tokens and cookies


def test_the_login_url_gives_a_strict_cookie_that_is_no_token(start: StartPage) -> None:
    server = start()
    stranger = Client(server.port)
    assert stranger.get("/api/state").status == 401
    assert stranger.get("/?token=wrong").status == 401
    answer = stranger.get(f"/?token={server.token}")
    cookie = answer.headers["set-cookie"]
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert server.token not in cookie
    browser = Client(server.port, headers={"Cookie": cookie.partition(";")[0]})
    assert browser.get("/api/state").json["user"] == "owner"
    assert browser.post("/api/chats", {}).status == 403
    assert browser.post("/api/chats", {}, X_Codeloop="1").status == 201


def test_no_token_and_no_cookie_is_kept_as_it_is(start: StartPage, tmp_path: Path) -> None:
    server = start()
    token = server.user("ada").token
    cookie = Client(server.port).get(f"/?token={token}").headers["set-cookie"]
    value = cookie.partition(";")[0].partition("=")[2]
    kept = b"".join(each.read_bytes() for each in (tmp_path / "kept").glob("codeloop.db*"))
    assert b"ada" in kept
    for secret in (server.token, token, value):
        assert secret.encode() not in kept


def test_every_route_but_health_and_the_page_asks_for_a_token(start: StartPage) -> None:
    server = start()
    for method, path in routes(server):
        expected = 200 if path in {"/healthz", "/readyz"} else 401
        assert Client(server.port).ask(method, path).status == expected, path
        wrong = Client(server.port, "wrong").ask(method, path, b"{}" if method != "GET" else None)
        assert wrong.status == expected, path


# 3. every object by user and id


def test_nobody_finds_what_is_another_users(start: StartPage) -> None:
    server = start(replies=["```python\nx = 1\n```"])
    chat = server.user("ada").new_chat(title="secret plan")
    chat.say("Go.")
    chat.client.ask("PUT", f"/api/chats/{chat.id}/files/a.txt", b"mine")
    blob = chat.data("file.put")[0]["blob"]
    other = server.user("bob")
    paths = [each for each in routes(server) if "{chat}" in each[1]]
    assert len(paths) > 20
    for method, path in paths:
        full = path.replace("{chat}", chat.id).replace("{cell}", "c1").replace("{hash}", blob)
        full = full.replace("{name:path}", "a.txt")
        body = {"text": "x", "code": "x", "target": "t1", "do": "restart", "line": "x", "run": True}
        answer = other.ask(method, full, None if method in {"GET", "DELETE"} else body)
        assert answer.status == 404, (method, path, answer.body)
    assert other.get("/api/chats?q=plan").json == {"chats": []}
    assert other.get(f"/api/usage?chat={chat.id}").json["models"] == []
    assert chat.get("").json["title"] == "secret plan"
    assert chat.get("/files/a.txt").body == b"mine"


# 4. uploads: see test_files.py


# 5. what browsers are told, and what reaches them


def test_the_page_may_load_nothing_from_elsewhere_and_be_framed_by_nobody(start: StartPage) -> None:
    answer = Client(start().port).get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-inline" not in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_an_svg_is_saved_and_never_run(start: StartPage) -> None:
    server = start()
    chat = server.client.new_chat()
    big = chat.run("class P:\n def _repr_svg_(self): return '<svg>' + ' ' * 40000 + '</svg>'\nP()")
    part = dict(big["displays"][0]["parts"])["image/svg+xml"]
    answer = server.client.get(f"/api/blobs/{chat.id}/{part['blob']}")
    assert answer.headers["content-disposition"] == "attachment"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_output_reaches_the_page_without_escape_sequences_but_colours(start: StartPage) -> None:
    chat = start().client.new_chat()
    result = chat.run(r"print('\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m\x9b1A')")
    assert result["stdout"]["text"] == "\x1b[31mred\x1b[0m1A\n"
    told = "".join(each["text"] for each in chat.data("cell.output"))
    assert "\x1b]" not in told
    assert "\x1b[2J" not in told


@given(st.text(alphabet="\x1b[];m0179AJ\x07\x9b\nab"))
def test_whatever_is_cleaned_holds_no_sequence_but_colours(text: str) -> None:
    cleaned = clean(text)
    for piece in cleaned.split("\x1b")[1:]:
        assert piece.startswith("[")
        assert piece[1:].lstrip("0123456789;").startswith("m")
    assert clean(cleaned) == cleaned


# 6. nobody makes the server, or the sandbox, speak to others


def test_neither_code_nor_a_reply_reaches_the_network(start: StartPage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.png"
        code = f"import urllib.request\nurllib.request.urlopen('{url}')"
        chat = start(replies=[f"![x]({url})\n```python\n{code}\n```", "No."]).client.new_chat()
        chat.say(f"Fetch {url} and file://{url}")
        assert chat.data("cell.finished")[0]["result"]["status"] == "error"
        with pytest.raises(TimeoutError):
            listener.accept()


# 7. secrets


def test_code_sees_no_secret_of_the_server(
    start: StartPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODELOOP_API_KEY", "sk-very-secret")
    server = start()
    chat = server.client.new_chat()
    seen = chat.run(
        "import os\nprint(dict(os.environ), os.path.exists('/proc/1/environ') and "
        "open('/proc/1/environ', 'rb').read())"
    )
    text = seen["stdout"]["text"] + seen["stderr"]["text"]
    assert "secret" not in text
    assert server.token not in text


def test_a_key_is_in_no_event_when_its_endpoint_fails(start: StartPage) -> None:
    model = connect("m", base_url="http://127.0.0.1:1/v1", api_key="sk-very-secret")
    chat = start(models={"m": model}, limits=Limits(seconds=1.0)).client.new_chat()
    events = chat.say("Go.")
    assert not chat.data("loop.ended")[0]["well"]
    assert "sk-very-secret" not in str(events)


# 8. resources


def test_output_is_cut_and_its_length_told(start: StartPage) -> None:
    chat = start().client.new_chat()
    result = chat.run("print('x' * 3_000_000)")
    assert result["stdout"]["truncated"]
    assert result["stdout"]["total_bytes"] == 3_000_001
    told = sum(len(each["text"]) for each in chat.data("cell.output"))
    assert told <= 70_000


def test_more_work_than_may_wait_is_refused_and_the_rest_has_a_place(start: StartPage) -> None:
    server = start(line=LineLimits(running=1, of_one_user=1, room=1))
    client = server.client
    one, two, three = client.new_chat(), client.new_chat(), client.new_chat()
    one.post("/cells", {"code": "input()"})
    one.until_event("cell.input")
    two.post("/cells", {"code": "print(2)"})
    assert two.data("work.waits") == [{"place": 1}]
    assert three.post("/cells", {"code": "print(3)"}).json["error"]["code"] == "line_full"
    assert not three.get("").json["busy"]
    one.post("/input", {"line": ""})
    two.until_rest()
    assert two.data("cell.finished")[0]["result"]["stdout"]["text"] == "2\n"


def test_what_waits_in_line_can_be_stopped(start: StartPage) -> None:
    server = start(replies=["Late."], line=LineLimits(running=1, of_one_user=1, room=4))
    one, two = server.client.new_chat(), server.client.new_chat()
    one.post("/cells", {"code": "input()"})
    one.until_event("cell.input")
    two.post("/messages", {"text": "Go."})
    two.until_event("work.waits")
    assert two.post("/stop").json == {"stopped": True}
    assert two.data("loop.ended")[0]["reason"] == "stopped"
    assert not two.get("").json["busy"]
    one.post("/stop")
    one.until_rest()


def test_one_user_does_not_keep_another_waiting(start: StartPage) -> None:
    server = start(line=LineLimits(running=2, of_one_user=1, room=8))
    ada, bob = server.user("ada"), server.user("bob")
    held, queued = ada.new_chat(), ada.new_chat()
    held.post("/cells", {"code": "input()"})
    held.until_event("cell.input")
    queued.post("/cells", {"code": "print(1)"})
    assert bob.new_chat().run("print('quick')")["stdout"]["text"] == "quick\n"
    assert queued.get("").json["busy"]
    held.post("/stop")
    queued.until_rest()


def test_an_idle_session_is_closed_and_its_variables_are_back_when_asked_for(
    start: StartPage,
) -> None:
    pool = PoolLimits(spares=0, idle_s=0.3)
    chat = start(pool=pool).client.new_chat()
    chat.run("x = 7")
    chat.until(lambda _: chat.data("sandbox.state")[-1]["state"] == "none")
    assert chat.run("print(x)")["stdout"]["text"] == "7\n"


def test_a_user_with_too_many_sessions_loses_the_one_longest_idle(start: StartPage) -> None:
    client = start(pool=PoolLimits(spares=0, sessions=2, of_one_owner=2)).client
    chats = [client.new_chat() for _ in range(3)]
    for number, chat in enumerate(chats):
        chat.run(f"x = {number}")
    assert [chat.run("print(x)")["stdout"]["text"] for chat in chats] == ["0\n", "1\n", "2\n"]


def test_a_new_user_gets_a_session_though_idle_ones_of_others_are_all_there_may_be(
    start: StartPage,
) -> None:
    server = start(pool=PoolLimits(spares=0, sessions=1, of_one_owner=1))
    ada, bob = (server.user(name).new_chat() for name in ("ada", "bob"))
    ada.run("x = 1")
    assert bob.run("print('mine')")["stdout"]["text"] == "mine\n"
    assert ada.run("print(x)")["stdout"]["text"] == "1\n"


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=[]), max_size=60))
def test_any_text_comes_through_the_stream_as_it_was_told(shared: ChatClient, text: str) -> None:
    before = shared.events()[-1]["seq"]
    answer = shared.post("/ratings", {"target": "t1", "thumb": None, "comment": text})
    if answer.status == 400:  # a lone surrogate is no text
        assert not text.isascii()
        return
    stream = shared.stream(after=before)
    event = next(stream)
    stream.close()
    assert (event["type"], event["data"]["comment"]) == ("rating.given", text)
    assert event == {key: each for key, each in shared.events(before)[0].items() if key != "at"}


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_no_body_breaks_a_route(shared: ChatClient, data: bytes) -> None:
    for path in ("/messages", "/cells", "/ratings", "/branch", "/input", "/hint", "/sandbox"):
        answer = shared.client.ask(
            "POST", f"/api/chats/{shared.id}{path}", data, Content_Type="application/json"
        )
        assert 400 <= answer.status < 500 or not data, (path, answer.status)
        shared.post("/stop")


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40).filter(lambda text: text.isascii() and text.isprintable()))
def test_any_place_in_the_stream_is_a_number_or_refused(shared: ChatClient, text: str) -> None:
    events = shared.client.get(
        f"/api/chats/{shared.id}/events?wait=0", Last_Event_ID=text.strip() or "0"
    )
    assert events.status in {200, 400}
    if events.status == 200:
        after = int(text.strip() or "0")
        assert [each["seq"] for each in events.json["events"]] == [
            each["seq"] for each in shared.events() if each["seq"] > after
        ]


@pytest.fixture(scope="module")
def shared(page_sandbox, tmp_path_factory):  # type: ignore[no-untyped-def]
    from page_server import start_page  # noqa: PLC0415  for this fixture alone

    server = start_page(page_sandbox, tmp_path_factory.mktemp("kept"), replies=["Hello."])
    chat = server.client.new_chat()
    chat.say("Hi.")
    yield chat
    server.stop()


# 9. what code may do without being asked


def test_a_package_is_installed_only_where_the_policy_allows_it(start: StartPage) -> None:
    result = start().client.new_chat().run("%pip install requests")
    assert result["error"]["name"] == "InstallError"


def test_a_cell_that_is_not_allowed_never_runs(start: StartPage) -> None:
    chat = start(
        replies=["```python\nopen('x', 'w')\n```"], limits=Limits(turns=1)
    ).client.new_chat()
    chat.post("/messages", {"text": "Go.", "mode": "confirm"})
    chat.until_event("cell.waiting")
    chat.post("/cells/c1/allow", {"run": False})
    chat.until_rest()
    assert chat.data("loop.ended")[0]["reason"] == "interrupted"
    assert chat.get("/files").json == {"files": []}


# 10. supply chain


def test_few_packages_are_needed_and_what_is_not_protected_is_said() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert len(project["dependencies"]) + len(project["optional-dependencies"]["web"]) <= 12
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "kernel" in text
    assert "codeloop serve" in text


# audit


def test_who_did_what_is_noted(start: StartPage) -> None:
    server = start(replies=["Hello."])
    Client(server.port).get("/?token=wrong")
    Client(server.port).get(f"/?token={server.token}")
    chat = server.client.new_chat()
    chat.say("Hi.")
    chat.get("/export?format=md")
    server.client.ask("PUT", f"/api/chats/{chat.id}/files/a", b"1")
    server.client.ask("DELETE", f"/api/chats/{chat.id}")
    rows = server.store.database.read("SELECT action, target FROM audit ORDER BY at")
    assert [tuple(row) for row in rows] == [
        ("login", "refused"),
        ("login", "ok"),
        ("chat.export", chat.id),
        ("file.put", chat.id),
        ("chat.delete", chat.id),
    ]
    metrics = server.client.get("/metrics").body.decode()
    assert "codeloop_server_users 1" in metrics
