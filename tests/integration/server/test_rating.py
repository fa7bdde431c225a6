"""Models side by side, votes, ranks; rated chats as training data."""

import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_server import Answer, ChatClient, Client, StartPage

from codeloop.models.scripted import ScriptedModel
from codeloop.server.rating.ranks import Ballot, ranks

pytestmark = pytest.mark.jail
WRONG = "Here:\n```python\nprint(missing)\n```\n"
RIGHT = "Here:\n```python\nprint(1)\n```\n"


def rows(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    return [json.loads(line) for line in answer.body.splitlines()]


def compared(client: Client, **more: object) -> tuple[dict[str, Any], list[ChatClient]]:
    asked = {"text": "Print one.", "models": ["good", "bad"], **more}
    answer = client.post("/api/compares", asked)
    assert answer.status == 201, answer.body
    sides = [ChatClient(client, each["id"]) for each in answer.json["chats"]]
    for side in sides:
        side.until_rest()
    return answer.json, sides


def models(*, good: int = 1, bad: int = 1) -> dict[str, ScriptedModel]:
    return {
        "good": ScriptedModel([RIGHT] * good, name="good"),
        "bad": ScriptedModel(["No idea."] * bad, name="bad"),
    }


def test_models_are_compared_blind_each_with_its_own_session(start: StartPage) -> None:
    client = start(models=models()).client
    compare, sides = compared(client)
    assert compare["models"] is None
    for side in sides:
        assert "good" not in str(side.events())
        assert "bad" not in str(side.events())
        assert side.get("").json["model"] in {"A", "B"}
    place = next(at for at, side in enumerate(sides) if side.data("cell.finished"))
    path = f"/api/compares/{compare['compare']}/vote"
    assert client.post(path, {"winner": 7}).status == 400
    voted = client.post(path, {"winner": place}).json
    assert voted["models"][place] == "good"
    assert sides[place].get("").json["model"] == "good"
    assert client.post(path, {"winner": "tie"}).status == 409
    ranked = client.get("/api/ranks").json["models"]
    assert [(each["model"], each["wins"], each["losses"]) for each in ranked] == [
        ("good", 1, 0),
        ("bad", 0, 1),
    ]
    assert client.get("/api/chats").json == {"chats": []}
    (pair,) = rows(client.get("/api/data/export?format=preference&consent=1"))
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == (RIGHT, "No idea.")


def test_a_comparison_from_a_chat_begins_with_its_variables_apart(start: StartPage) -> None:
    server = start(
        models={
            "good": ScriptedModel(["```python\nx += 1\nprint(x)\n```"], name="good"),
            "bad": ScriptedModel(["```python\nx += 2\nprint(x)\n```"], name="bad"),
        }
    )
    chat = server.client.new_chat()
    chat.run("x = 1")
    _, sides = compared(server.client, chat=chat.id, blind=False)
    told = [each.data("cell.finished")[-1]["result"]["stdout"]["text"] for each in sides]
    assert told == ["2\n", "3\n"]
    assert chat.run("print(x)")["stdout"]["text"] == "1\n"


def test_hidden_tests_run_once_in_each_session_and_make_a_preference(start: StartPage) -> None:
    good = ScriptedModel(["```python\nx = 42\n```"], name="good")
    bad = ScriptedModel(["```python\nx = 41\n```"], name="bad")
    server = start(models={"good": good, "bad": bad})
    client = server.client
    compare, sides = compared(client, blind=False, tests="assert x == 42")
    path = f"/api/compares/{compare['compare']}"
    assert (compare["tests"], compare["passed"]) == ("assert x == 42", [None, None])
    assert "assert" not in str([call.messages for each in (good, bad) for call in each.calls])
    for _ in range(2):
        assert client.post(f"{path}/tests").status == 202
        for side in sides:
            side.until_rest()
    assert client.get(path).json["passed"] == [True, False]
    assert [len(side.data("cell.finished")) for side in sides] == [2, 2]
    (pair,) = rows(client.get("/api/data/export?format=preference&consent=1"))
    assert "42" in pair["chosen"][0]["content"]
    assert "41" in pair["rejected"][0]["content"]
    assert server.user("bob").post(f"{path}/tests").status == 404
    without, _ = compared(client)
    assert client.post(f"/api/compares/{without['compare']}/tests").status == 409


def test_hidden_tests_wait_until_all_have_ended(start: StartPage) -> None:
    spin = "```python\nwhile True: pass\n```"
    names = {name: ScriptedModel([spin], name=name) for name in ("good", "bad")}
    client = start(models=names).client
    asked = {"text": "Spin.", "models": ["good", "bad"], "tests": "1 / 0"}
    compare = client.post("/api/compares", asked).json
    path = f"/api/compares/{compare['compare']}/tests"
    assert client.post(path).status == 409
    for each in compare["chats"]:
        side = ChatClient(client, each["id"])
        side.post("/stop")
        side.until_rest()
    assert client.post(path).status == 202


def test_a_comparison_is_its_users_alone_and_needs_models_that_there_are(start: StartPage) -> None:
    server = start(models=models())
    compare, _ = compared(server.client)
    other = server.user("bob")
    assert other.get(f"/api/compares/{compare['compare']}").status == 404
    assert other.post(f"/api/compares/{compare['compare']}/vote", {"winner": 0}).status == 404
    assert other.get("/api/compares").json == {"compares": []}
    assert other.get("/api/ranks").json == {"models": [], "votes": 0}
    for wanted in (["good"], ["good", "none"], ["good"] * 5):
        assert other.post("/api/compares", {"text": "x", "models": wanted}).status == 400


def test_ratings_become_each_form_of_training_data(start: StartPage) -> None:
    server = start(replies=[WRONG, RIGHT, "Bye."])
    chat = server.client.new_chat()
    chat.say("Print one.")
    chat.post("/ratings", {"target": "t1", "thumb": "down", "reasons": ["wrong"]})
    chat.post("/ratings", {"target": "t2", "thumb": "up"})
    chat.post("/ratings", {"target": "c2", "thumb": None, "preferred": "print('one')"})
    (row,) = server.client.get("/api/data").json["rows"]
    assert (row["up"], row["down"], row["ran"], row["passed"]) == (1, 1, True, True)
    assert (row["preferred"], row["reasons"]) == (1, ["wrong"])
    assert server.client.get("/api/data?thumb=up&passed=0").json["rows"] == []
    assert server.client.get("/api/data?nonsense=1").status == 400

    export = "/api/data/export?consent=1&format="
    (paper,) = rows(server.client.get(f"{export}code-feedback"))
    assert set(paper) == {"id", "messages"}
    assert [each["role"] for each in paper["messages"][1:]] == ["user", "assistant"] * 2
    (messages,) = rows(server.client.get(f"{export}messages"))
    assert messages["way"] == "rated_chat"
    kto = rows(server.client.get(f"{export}kto"))
    assert [each["label"] for each in kto] == [False, True]
    pairs = rows(server.client.get(f"{export}preference"))
    assert [each["chosen"][0]["content"] for each in pairs] == [
        RIGHT.replace("print(1)", "print('one')"),
        RIGHT,
    ]
    assert server.client.get("/api/data/export?format=kto").json["error"]["code"] == "consent"


def test_what_is_said_twice_or_holds_a_secret_is_found_and_left_out(start: StartPage) -> None:
    client = start(replies=["Hello.", "Hello.", "Hello."]).client
    chats = [client.new_chat() for _ in range(3)]
    key = "sk-" + "a1" * 16
    for chat, text in zip(chats, ("Hi.", "Hi.", f"My key is {key}"), strict=True):
        chat.say(text)
        chat.post("/ratings", {"target": "t1", "thumb": "up"})
    found = {each["chat"]: each for each in client.get("/api/data").json["rows"]}
    assert found[chats[1].id]["duplicate_of"] == chats[0].id
    assert found[chats[2].id]["secrets"] == ["key"]
    answer = client.get("/api/data/export?format=code-feedback&consent=1&card=1")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        lines = archive.read("data/code-feedback.jsonl").splitlines()
        assert "rated_chat" in archive.read("README.md").decode()
    assert len(lines) == 1
    assert key.encode() not in b"".join(lines)


def test_nobody_exports_what_another_rated(start: StartPage) -> None:
    server = start(replies=["Hello."])
    chat = server.client.new_chat()
    chat.say("Hi.")
    chat.post("/ratings", {"target": "t1", "thumb": "up"})
    other = server.user("bob")
    assert other.get("/api/data").json["rows"] == []
    assert other.get(f"/api/data/export?consent=1&chat={chat.id}").body == b""


@given(
    st.lists(st.tuples(st.permutations("abcd"), st.sampled_from([0, 1, 2, 3, None])), max_size=30)
)
def test_who_wins_more_of_the_same_games_is_never_below(
    votes: list[tuple[list[str], int | None]],
) -> None:
    found = ranks([Ballot(tuple(models), winner) for models, winner in votes])
    points = {each.model: each.points for each in found}
    assert len(points) == (4 if votes else 0)
    for better in found:
        for worse in found:
            if better.wins > worse.wins and better.losses <= worse.losses:
                assert points[better.model] > points[worse.model]


def test_two_wins_in_three_games_are_odds_of_about_two_to_one() -> None:
    games = [Ballot(("a", "b"), 0)] * 200 + [Ballot(("a", "b"), 1)] * 100
    best, other = ranks(games)
    assert best.model == "a"
    assert best.points - other.points == pytest.approx(120.4, abs=2)  # 400 log10 2
