"""Cells of a person's own, and what can be done while something runs, or after it."""

import time

import pytest
from page_server import StartPage

from codeloop.core.execution import ExecutionLimits
from codeloop.loop.limits import Limits
from codeloop.models.scripted import ScriptedModel

pytestmark = pytest.mark.jail


def test_an_edited_cell_runs_again_as_an_attempt_of_the_first(start: StartPage) -> None:
    chat = start().client.new_chat()
    chat.run("print('one')")
    again = chat.post("/cells/c1/run", {"code": "print('two')"})
    chat.until_rest()
    assert again.json == {"cell": "c2"}
    assert chat.data("cell.added")[1]["attempt_of"] == "c1"
    assert chat.data("cell.finished")[1]["result"]["stdout"]["text"] == "two\n"
    assert chat.post("/cells/c9/run").status == 404


def test_the_model_mends_a_cell_and_is_told_what_it_did(start: StartPage) -> None:
    model = ScriptedModel(["```python\nprint('mended')\n```"])
    chat = start(models={"m": model}).client.new_chat()
    chat.run("print(missing)")
    assert chat.post("/cells/c1/fix", {"note": "It fails."}).status == 202
    chat.until_rest()
    told = model.calls[0].messages[-1].content
    assert "print(missing)" in told
    assert "NameError" in told
    assert "It fails." in told
    assert chat.data("cell.added")[-1]["attempt_of"] == "c1"


def test_code_that_asks_gets_the_line_and_again_when_it_is_replayed(start: StartPage) -> None:
    server = start()
    chat = server.client.new_chat()
    chat.post("/cells", {"code": "name = input('who? ')\nprint(name)"})
    chat.until_event("cell.input")
    assert chat.data("cell.input")[0]["prompt"] == "who? "
    assert chat.post("/input", {"line": "Ada"}).status == 200
    chat.until_rest()
    assert chat.post("/sandbox", {"do": "replay"}).status == 202
    chat.until_rest()
    assert chat.run("print(name)")["stdout"]["text"] == "Ada\n"
    assert chat.post("/input", {"line": "x"}).status == 409


def test_an_interrupt_keeps_the_variables(start: StartPage) -> None:
    chat = start().client.new_chat()
    chat.run("x = 5")
    chat.post("/cells", {"code": "print('on', flush=True)\nwhile True: pass"})
    chat.until(lambda _: bool(chat.data("cell.output")))
    assert chat.post("/interrupt").json == {"interrupted": True}
    chat.until_rest()
    assert chat.data("cell.finished")[-1]["result"]["status"] == "interrupted"
    assert chat.run("print(x)")["stdout"]["text"] == "5\n"


def test_code_that_heeds_no_interrupt_is_stopped_within_a_second_and_replayed(
    start: StartPage,
) -> None:
    chat = start().client.new_chat()
    chat.run("x = 5")
    stubborn = "print('on', flush=True)\nwhile True:\n try:\n  while True: pass\n except: pass"
    chat.post("/cells", {"code": stubborn})
    chat.until(lambda _: bool(chat.data("cell.output")))
    chat.post("/stop")
    chat.until_rest()
    assert chat.run("print(x)")["stdout"]["text"] == "5\n"


def test_a_reply_that_is_stopped_in_mid_stream_keeps_what_was_written(start: StartPage) -> None:
    class Slow(ScriptedModel):
        def stream(self, *args, **options):  # type: ignore[no-untyped-def]
            yield "I begin"
            time.sleep(20)
            yield "too late"

    chat = start(models={"slow": Slow([])}).client.new_chat()
    chat.post("/messages", {"text": "Go."})
    chat.until_event("text.delta")
    assert chat.post("/messages", {"text": "And?"}).json["error"]["code"] == "busy"
    chat.post("/stop")
    chat.until_rest()
    ended = chat.data("turn.ended")[0]
    assert (ended["reply"], ended["finish"]) == ("I begin", "cancelled")
    assert chat.data("loop.ended")[0]["reason"] == "stopped"


def test_a_hint_and_a_continuation_go_on_where_the_loop_ended(start: StartPage) -> None:
    wrong = "```python\nprint(missing)\n```"
    model = ScriptedModel([wrong, "```python\nprint(1)\n```", "All said."])
    server = start(models={"m": model}, limits=Limits(turns=1))
    chat = server.client.new_chat()
    chat.say("Go.")
    assert chat.data("loop.ended")[0]["reason"] == "turn_limit"
    assert chat.post("/hint", {"text": "Print 1."}).status == 202
    chat.until_rest()
    assert "Print 1." in model.calls[1].messages[-1].content
    assert chat.data("turn.started")[1]["because"] == "person"
    assert chat.post("/continue", {"turns": 2}).status == 202
    chat.until_rest()
    assert chat.data("turn.ended")[2]["reply"] == "All said."


def test_a_cell_waits_until_a_person_allows_it(start: StartPage) -> None:
    reply = "```python\nprint('ran')\n```"
    chat = start(replies=[reply, reply]).client.new_chat(settings={"mode": "confirm"})
    chat.post("/messages", {"text": "Go."})
    chat.until_event("cell.waiting")
    assert not chat.data("cell.output")
    chat.post("/cells/c1/allow", {"run": True})
    chat.until_rest()
    assert chat.data("cell.finished")[0]["result"]["stdout"]["text"] == "ran\n"


def test_asking_only_runs_nothing(start: StartPage) -> None:
    chat = start(replies=["```python\nprint(1)\n```"]).client.new_chat()
    chat.say("Show me.", mode="ask")
    assert chat.data("cell.added")[0]["skipped"] == "no_runner"
    assert not chat.data("cell.started")


def test_the_model_is_told_of_cells_that_the_person_ran(start: StartPage) -> None:
    model = ScriptedModel(["Good."])
    chat = start(models={"m": model}).client.new_chat()
    chat.run("print('mine')")
    chat.say("What did I print?")
    told = model.calls[0].messages[-1].content
    assert "print('mine')" in told
    assert told.endswith("What did I print?")
    assert chat.data("message.added")[0]["text"] == "What did I print?"


def test_variables_are_told_with_their_types(start: StartPage) -> None:
    chat = start().client.new_chat()
    assert chat.get("/variables").json == {"variables": [], "busy": False}
    chat.run("n = 3")
    (variable,) = chat.get("/variables").json["variables"]
    assert (variable["name"], variable["type"], variable["value"]) == ("n", "int", "3")


def test_a_large_display_is_a_blob_and_html_a_page_of_its_own(start: StartPage) -> None:
    server = start()
    chat = server.client.new_chat()
    result = chat.run("class P:\n def _repr_html_(self): return '<b>hi</b>'\nP()")
    parts = dict(result["displays"][0]["parts"])
    answer = server.client.get(f"/api/blobs/{chat.id}/{parts['text/html']['blob']}")
    assert answer.body == b"<b>hi</b>"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "sandbox allow-scripts" in answer.headers["content-security-policy"]


def test_a_branch_has_its_own_session_with_the_variables_of_its_beginning(start: StartPage) -> None:
    server = start()
    chat = server.client.new_chat()
    chat.run("x = 1")
    until = chat.events()[-1]["seq"]
    chat.run("x = 2")
    answer = chat.post("/branch", {"seq": until})
    assert answer.status == 201
    other = type(chat)(server.client, answer.json["id"])
    assert other.run("print(x)")["stdout"]["text"] == "1\n"
    assert chat.run("print(x)")["stdout"]["text"] == "2\n"


def test_what_is_rated_is_told_and_a_target_that_is_not_there_refused(start: StartPage) -> None:
    chat = start(replies=["Hello."]).client.new_chat()
    chat.say("Hi.")
    rating = {
        "target": "t1",
        "thumb": "down",
        "reasons": ["wrong"],
        "comment": "",
        "preferred": "Hi!",
    }
    assert chat.post("/ratings", rating).json == rating
    assert chat.data("rating.given") == [rating]
    assert chat.post("/ratings", {**rating, "target": "t7"}).status == 404
    assert chat.post("/ratings", {**rating, "thumb": "sideways"}).status == 400


def test_chats_are_found_by_their_words_and_gone_when_deleted(start: StartPage) -> None:
    client = start(replies=["About whales.", "About bees."]).client
    one, two = client.new_chat(), client.new_chat()
    one.say("Sea?")
    two.say("Garden?")
    found = client.get("/api/chats?q=whale").json["chats"]
    assert [(each["id"], each["snippet"]) for each in found] == [(one.id, "About whales.")]
    assert client.get('/api/chats?q=%22*%20OR%20"').json == {"chats": []}
    assert client.ask("DELETE", f"/api/chats/{one.id}").status == 204
    assert client.get("/api/chats?q=whale").json == {"chats": []}
    assert one.get("").status == 404


def test_a_limit_of_a_run_ends_it_and_the_server_goes_on(start: StartPage) -> None:
    limits = Limits(run=ExecutionLimits(wall_s=1.0, cpu_s=1.0))
    chat = start(limits=limits).client.new_chat()
    assert chat.run("while True: pass")["status"] in {"cpu_limit", "wall_limit"}
    assert chat.run("print(1)")["stdout"]["text"] == "1\n"


def test_a_model_that_fails_is_told_and_the_chat_goes_on(start: StartPage) -> None:
    chat = start(replies=[]).client.new_chat()
    chat.say("Go.")
    assert chat.data("loop.ended")[0]["reason"] == "failed"
    assert chat.data("error")[0]["where"] == "model"
    assert chat.run("print(1)")["status"] == "ok"
