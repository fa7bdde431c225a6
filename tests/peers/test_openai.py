"""What the openai SDK makes of our server: chat completions, responses, containers, files."""

import json
import os
from typing import Any

import pytest
from page_server import PageServer, StartPage

pytestmark = [
    pytest.mark.skipif(
        "CODELOOP_PEERS" not in os.environ, reason="scripts/test-peers sets CODELOOP_PEERS"
    ),
    pytest.mark.timeout(150),
    pytest.mark.jail,
]

FAILS = "Let me see.\n\n```python\nprint(total)\n```\n"
MENDS = """I forgot it:

```python
total = 41 + 1
print(total)
_ = open('t.txt', 'w').write('42')
```
"""
SAYS = "The total is 42, and t.txt holds it."
HEAD = """
import json, sys
from openai import OpenAI
client = OpenAI()
"""


def told(peer: Any, server: PageServer, script: str) -> Any:
    """Return what a script of the SDK prints as its last line, in JSON."""
    base = f"http://127.0.0.1:{server.port}/v1"
    printed = peer("-c", HEAD + script, OPENAI_BASE_URL=base, OPENAI_API_KEY=server.token)
    return json.loads(printed.splitlines()[-1])


def test_models_are_listed_with_and_without_the_loop(start: StartPage, peer: Any) -> None:
    server = start()
    names = told(peer, server, "print(json.dumps([each.id for each in client.models.list()]))")
    assert names == ["scripted", "scripted+run"]


def test_a_model_is_passed_through_streamed_and_whole(start: StartPage, peer: Any) -> None:
    script = """
messages = [{"role": "user", "content": "Say hello"}]
whole = client.chat.completions.create(model="scripted", messages=messages, temperature=0.5)
stream = client.chat.completions.create(
    model="scripted", messages=messages, stream=True, stream_options={"include_usage": True})
chunks = list(stream)
print(json.dumps({
    "text": whole.choices[0].message.content,
    "finish": whole.choices[0].finish_reason,
    "tokens": whole.usage.total_tokens > 0,
    "streamed": "".join(c.choices[0].delta.content or "" for c in chunks if c.choices),
    "last": chunks[-1].usage.completion_tokens > 0,
}))
"""
    assert told(peer, start(replies=[FAILS, FAILS]), script) == {
        "text": FAILS,
        "finish": "stop",
        "tokens": True,
        "streamed": FAILS,
        "last": True,
    }


def test_the_loop_answers_with_what_its_code_gave_and_keeps_its_variables(
    start: StartPage, peer: Any
) -> None:
    script = """
messages = [{"role": "user", "content": "Compute the total"}]
first = client.chat.completions.create(model="scripted+run", messages=messages)
text = first.choices[0].message.content
messages += [{"role": "assistant", "content": text}, {"role": "user", "content": "Double it"}]
stream = client.chat.completions.create(model="scripted+run", messages=messages, stream=True)
second = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
print(json.dumps([text, second]))
"""
    replies = [FAILS, MENDS, "```python\nprint(total * 2)\n```"]
    server = start(replies=replies)
    first, second = told(peer, server, script)
    assert "```output error of 1\nTraceback" in first
    assert "NameError" in first
    assert "```output ok of 1\n42\n```" in first
    assert "```output ok of 1\n84\n```" in second


def test_what_the_code_made_is_there_again_when_its_session_is_gone(
    start: StartPage, peer: Any
) -> None:
    script = """
from openai import OpenAI
text = "```python\\ntotal = 42\\n```\\n\\n```output ok of 1\\n```"
messages = [{"role": "user", "content": "Set it"}, {"role": "assistant", "content": text},
            {"role": "user", "content": "Print it"}]
done = client.chat.completions.create(model="scripted+run", messages=messages)
print(json.dumps(done.choices[0].message.content))
"""
    server = start(replies=["```python\nprint(total)\n```"])
    assert "```output ok of 1\n42\n```" in told(peer, server, script)


RESPONSES = """
tools = [{"type": "code_interpreter", "container": {"type": "auto"}}]
include = ["code_interpreter_call.outputs"]
"""


def test_a_response_runs_code_in_a_container_and_cites_its_files(
    start: StartPage, peer: Any
) -> None:
    script = """
done = client.responses.create(
    model="scripted", input="Compute the total", tools=tools, include=include)
print(json.dumps(done.model_dump()))
"""
    done = told(peer, start(replies=[FAILS, MENDS, SAYS]), RESPONSES + script)
    assert done["status"] == "completed"
    kinds = [item["type"] for item in done["output"]]
    call = "code_interpreter_call"
    assert kinds == ["message", call, "message", call, "message"]
    (cited,) = done["output"][-1]["content"][0]["annotations"]
    assert (cited["type"], cited["filename"]) == ("container_file_citation", "t.txt")
    first, second = (item for item in done["output"] if item["type"] == call)
    assert "NameError" in first["outputs"][0]["logs"]
    assert second["outputs"] == [{"type": "logs", "logs": "42\n"}]
    assert second["code"].startswith("total = 41 + 1")
    assert second["status"] == "completed"
    assert done["usage"]["total_tokens"] > 0


def test_a_streamed_response_tells_of_the_call_step_by_step(start: StartPage, peer: Any) -> None:
    script = """
with client.responses.stream(
    model="scripted", input="Compute the total", tools=tools, include=include) as stream:
    events = [event.type for event in stream]
    final = stream.get_final_response()
print(json.dumps([events, final.output_text, [i.type for i in final.output]]))
"""
    server = start(replies=["Now:\n\n```python\nprint(6 * 7)\n```\nThere it is.\n"])
    events, text, kinds = told(peer, server, RESPONSES + script)
    call = "response.code_interpreter_call"
    steps = [each for each in events if each.startswith(call)]
    assert steps == [
        f"{call}.in_progress",
        f"{call}_code.delta",
        f"{call}_code.done",
        f"{call}.interpreting",
        f"{call}.completed",
    ]
    assert (events[0], events[-1]) == ("response.created", "response.completed")
    assert kinds == ["message", "code_interpreter_call"]
    assert "print" not in text
    assert "There it is." in text


def test_a_response_goes_on_from_the_one_before_in_its_container(
    start: StartPage, peer: Any
) -> None:
    script = """
first = client.responses.create(model="scripted", input="Compute the total", tools=tools)
second = client.responses.create(model="scripted", input="Double it", tools=tools,
    previous_response_id=first.id, include=include)
again = client.responses.retrieve(second.id)
client.responses.delete(first.id)
try:
    client.responses.retrieve(first.id)
    gone = False
except Exception as error:
    gone = error.status_code == 404
calls = [[i for i in r.output if i.type == "code_interpreter_call"][-1] for r in (first, second)]
print(json.dumps({
    "hidden": calls[0].outputs, "shown": calls[1].outputs[0].logs,
    "same": calls[0].container_id == calls[1].container_id,
    "again": again.status, "gone": gone,
    "items": [i.content[0].text for i in client.responses.input_items.list(second.id)],
}))
"""
    server = start(replies=[MENDS, "```python\nprint(total * 2)\n```"])
    assert told(peer, server, RESPONSES + script) == {
        "hidden": None,
        "shown": "84\n",
        "same": True,
        "again": "completed",
        "gone": True,
        "items": ["Double it"],
    }


def test_a_container_whose_session_is_gone_is_built_anew_with_files_and_variables(
    start: StartPage, peer: Any
) -> None:
    first = """
container = client.containers.create(name="mine")
client.containers.files.create(container.id, file=("in.csv", b"a,b\\n1,2\\n"))
tools = [{"type": "code_interpreter", "container": container.id}]
done = client.responses.create(model="scripted", input="Set it", tools=tools)
print(json.dumps([container.id, done.id]))
"""
    second = """
tools = [{"type": "code_interpreter", "container": "%s"}]
done = client.responses.create(model="scripted", input="Print it", tools=tools,
    previous_response_id="%s", include=["code_interpreter_call.outputs"])
files = client.containers.files.list("%s")
made = [each for each in files if each.path.endswith("made.txt")][0]
print(json.dumps({
    "logs": [i for i in done.output if i.type == "code_interpreter_call"][0].outputs[0].logs,
    "files": sorted(each.path.rpartition("/")[2] for each in files),
    "made": client.containers.files.content.retrieve(
        made.id, container_id="%s").content.decode(),
}))
"""
    sets = "```python\nx = 7\nopen('made.txt', 'w').write('made')\n```"
    server = start(replies=[sets])
    container, response = told(peer, server, first)
    server.stop()
    prints = "```python\nprint(x, open('in.csv').read())\n```"
    again = start(replies=[prints])
    names = (container, response, container, container)
    assert told(peer, again, second % names) == {
        "logs": "7 a,b\n1,2\n\n",
        "files": ["in.csv", "made.txt"],
        "made": "made",
    }


def test_files_and_containers_live_and_go_as_the_sdk_asks(start: StartPage, peer: Any) -> None:
    script = """
file = client.files.create(file=("data.txt", b"\\x00\\r\\n--x\\r\\n"), purpose="user_data")
content = client.files.content(file.id).content
container = client.containers.create(name="c", file_ids=[file.id], memory_limit="1g")
held = list(client.containers.files.list(container.id))
one = client.containers.files.retrieve(held[0].id, container_id=container.id)
client.containers.files.delete(held[0].id, container_id=container.id)
left = list(client.containers.files.list(container.id))
listed = [each.id for each in client.containers.list()] == [container.id]
shown = client.containers.retrieve(container.id)
client.containers.delete(container.id)
client.files.delete(file.id)
print(json.dumps({
    "same": content == b"\\x00\\r\\n--x\\r\\n", "bytes": file.bytes, "name": file.filename,
    "held": [each.bytes for each in held], "one": one.path, "left": len(left),
    "listed": listed, "status": shown.status, "none": len(list(client.containers.list())),
    "files": len(list(client.files.list())),
}))
"""
    assert told(peer, start(), script) == {
        "same": True,
        "bytes": 8,
        "name": "data.txt",
        "held": [8],
        "one": "/work/data.txt",
        "left": 0,
        "listed": True,
        "status": "running",
        "none": 0,
        "files": 0,
    }


def test_a_response_in_the_background_is_cancelled_while_its_code_runs(
    start: StartPage, peer: Any
) -> None:
    script = """
import time
begun = client.responses.create(model="scripted", input="Spin", tools=tools, background=True)
while not client.responses.retrieve(begun.id).status == "in_progress":
    time.sleep(0.05)
time.sleep(0.5)
ended = client.responses.cancel(begun.id)
print(json.dumps([begun.status, ended.status, client.responses.retrieve(begun.id).status]))
"""
    server = start(replies=["```python\nwhile True: pass\n```", SAYS])
    states = told(peer, server, RESPONSES + script)
    assert states == ["in_progress", "cancelled", "cancelled"]


def test_what_is_wrong_is_refused_as_the_sdk_knows_it(start: StartPage, peer: Any) -> None:
    script = """
import openai
def refused(call):
    try:
        call()
    except openai.APIStatusError as error:
        return [error.status_code, error.code]
ask = client.chat.completions.create
say = client.responses.create
hi = [{"role": "user", "content": "hi"}]
print(json.dumps([
    refused(lambda: ask(model="none", messages=hi)),
    refused(lambda: ask(model="scripted", messages=[])),
    refused(lambda: ask(model="scripted", messages=hi, temperature=9)),
    refused(lambda: say(model="scripted", input="hi", tools=[{"type": "web_search"}])),
    refused(lambda: say(model="scripted", input="hi", previous_response_id="resp_x")),
    refused(lambda: client.containers.retrieve("cntr_x")),
    refused(lambda: OpenAI(api_key="wrong").models.list()),
]))
"""
    assert told(peer, start(), script) == [
        [404, "model_not_found"],
        [400, "bad_request"],
        [400, "bad_request"],
        [400, "bad_request"],
        [404, "not_found"],
        [404, "not_found"],
        [401, "unauthorized"],
    ]


def test_a_function_is_called_and_answered(start: StartPage, peer: Any) -> None:
    script = """
tool = {"type": "function", "name": "weather", "description": "of a town", "strict": True,
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}}}
with client.responses.stream(model="scripted", input="Bonn?", tools=[tool]) as stream:
    kinds = [each.type for each in stream]
    first = stream.get_final_response()
call = [each for each in first.output if each.type == "function_call"][0]
said = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
done = client.responses.create(
    model="scripted", input=[said], tools=[tool], previous_response_id=first.id)
print(json.dumps({"arguments": json.loads(call.arguments), "done": done.output_text,
    "streamed": "response.function_call_arguments.done" in kinds}))
"""
    call = '```call\n{"name": "weather", "arguments": {"town": "Bonn"}}\n```'
    assert told(peer, start(replies=[call, "It rains."]), script) == {
        "arguments": {"town": "Bonn"},
        "done": "It rains.",
        "streamed": True,
    }


def test_a_conversation_goes_on_and_is_read(start: StartPage, peer: Any) -> None:
    script = """
made = client.conversations.create(metadata={"topic": "sums"})
tools = [{"type": "code_interpreter", "container": {"type": "auto"}}]
for text in ("Set", "Show"):
    last = client.responses.create(model="scripted", input=text, tools=tools,
        conversation=made.id, include=["code_interpreter_call.outputs"])
call = [each for each in last.output if each.type == "code_interpreter_call"][0]
items = list(client.conversations.items.list(made.id, order="asc", limit=2))
removed = client.conversations.delete(made.id)
print(json.dumps({"logs": call.outputs[0].logs, "of": last.conversation.id == made.id,
    "items": [each.type for each in items], "removed": removed.deleted}))
"""
    replies = ["```python\nx = 42\n```", "```python\nprint(x)\n```"]
    assert told(peer, start(replies=replies), script) == {
        "logs": "42\n",
        "of": True,
        "items": ["message", "code_interpreter_call"] * 2,
        "removed": True,
    }


def test_a_stream_is_taken_up_again(start: StartPage, peer: Any) -> None:
    script = """
stream = client.responses.create(model="scripted", input="Go", background=True, stream=True)
whole = list(stream)
name = whole[0].response.id
rest = list(client.responses.retrieve(name, stream=True, starting_after=2))
print(json.dumps([[each.sequence_number for each in part] for part in (whole, rest)]))
"""
    whole, rest = told(peer, start(replies=["One two three."]), script)
    assert rest == whole[3:]
