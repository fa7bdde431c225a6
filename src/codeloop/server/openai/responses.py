"""Responses: a request becomes a loop whose code runs in a container, and is kept to go on from."""

import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codeloop.core import records
from codeloop.core.dialogue import Dialogue
from codeloop.core.errors import CodeloopError
from codeloop.core.events import DialogueDone, TurnDone
from codeloop.core.protocols import Sampling, Session
from codeloop.loop.critics import ExecutionCritic
from codeloop.loop.refine import refine
from codeloop.server.chats.files import file_name
from codeloop.server.chats.rooms import LazySession
from codeloop.server.chats.service import Chats
from codeloop.server.models import StoppableModel
from codeloop.server.openai.asking import (
    INTERPRETER,
    Attached,
    begin,
    interpreter_of,
    read_input,
    tools_of,
    without_files,
)
from codeloop.server.openai.completions import sampling_of, sum_usage
from codeloop.server.openai.containers import Containers, file_id, shown_path
from codeloop.server.openai.conversations import Conversations
from codeloop.server.openai.functions import Functions, functions_of
from codeloop.server.openai.history import History
from codeloop.server.openai.running import Running, Said
from codeloop.server.openai.shelf import FILE, RESPONSE, Shelf, copied, name_of
from codeloop.server.openai.telling import Telling
from codeloop.server.refusals import RefusalError
from codeloop.server.store.store import Chat

OUTPUTS = "code_interpreter_call.outputs"
_MOST_CALLS = 20
_KEPT = 64  # responses whose events can still be read after their end
_CUT = frozenset({"cancelled", "queued", "in_progress"})  # by a person, or the server's death


@dataclass(frozen=True, slots=True)
class Order:
    """What a request asks for, as far as the loop has to know it."""

    response: Chat
    told: Said
    dialogue: Dialogue
    sampling: Sampling
    container: Chat | None
    turns: int | None
    functions: Functions
    conversation: Chat | None


class Responses:
    """Answers, keeps and finds responses; may be used from many threads."""

    def __init__(
        self, chats: Chats, shelf: Shelf, containers: Containers, conversations: Conversations
    ) -> None:
        self._parts = chats.parts
        self._shelf = shelf
        self._conversations = conversations
        self._containers = containers
        self._lock = threading.Lock()
        self._running: dict[str, Running] = {}
        self._ended: OrderedDict[str, Running] = OrderedDict()  # the last, for who reads them late

    def start(self, user: int, body: Mapping[str, Any]) -> tuple[Running, Said]:
        """Begin to answer; return what it will say, and the response as it is so far.

        Raises:
            RefusalError: the request is wrong, names what there is not, or too much waits.
        """
        model = body.get("model") or self._parts.models.default
        if not isinstance(model, str) or model not in self._parts.models.names:
            raise RefusalError(404, f"no model {model!r} here", "model_not_found")
        order = self._order(user, model, body)
        running = Running()
        with self._lock:
            self._running[order.response.id] = running
        try:
            running.start(self._parts.line, user, lambda each: self._answer(each, order, model))
        except RefusalError:
            self._running.pop(order.response.id, None)
            self._parts.store.delete_chat(order.response)
            raise
        return running, copied(order.told)

    def find(self, user: int, name: str) -> Said:
        """Return a response that was kept, as it is now.

        Raises:
            RefusalError: there is none of that name.
        """
        return copied(self._shelf.find(user, RESPONSE, name).settings["response"])  # type: ignore[no-any-return]

    def again(self, user: int, name: str) -> Running:
        """Return what a response says, or said, for who reads it again.

        Of one that ended long ago only the last event is left, which holds all of it.

        Raises:
            RefusalError: there is none of that name.
        """
        found = self._shelf.find(user, RESPONSE, name)
        with self._lock:
            running = self._running.get(found.id) or self._ended.get(found.id)
        if running is None:
            told = copied(found.settings["response"])
            kind = "response.failed" if told["status"] in _CUT else f"response.{told['status']}"
            last = found.settings.get("events", 1) - 1
            running = Running.over([{"type": kind, "sequence_number": last, "response": told}])
        return running

    def input_items(self, user: int, name: str) -> list[Said]:
        """Return what a response was asked.

        Raises:
            RefusalError: there is none of that name.
        """
        return copied(self._shelf.find(user, RESPONSE, name).settings["input"])  # type: ignore[no-any-return]

    def cancel(self, user: int, name: str) -> Said:
        """Stop a response that is in progress; return it as it then is.

        Raises:
            RefusalError: there is none of that name.
        """
        found = self._shelf.find(user, RESPONSE, name)
        running = self._running.get(found.id)
        if running is not None:
            running.stop()
            running.all()
        told = self.find(user, name)
        if told["status"] in {"queued", "in_progress"}:  # its server died, or it never began
            told["status"] = "cancelled"
            self._shelf.change(found, {**found.settings, "response": told})
        return told

    def delete(self, user: int, name: str) -> None:
        """Remove a response; one in progress is stopped.

        Raises:
            RefusalError: there is none of that name.
        """
        self.cancel(user, name)
        self._parts.store.delete_chat(self._shelf.find(user, RESPONSE, name))

    def _order(self, user: int, model: str, body: Mapping[str, Any]) -> Order:
        tools = tools_of(body)
        tool, functions = interpreter_of(tools, body), functions_of(tools, body.get("tool_choice"))
        conversation = self._conversations.named(user, body)
        before = self._before(user, body)
        known = conversation.settings["items"] if conversation is not None else []
        given, attached = without_files(body.get("input"))
        history, items = read_input(given, known, before=before)
        if attached and tool is None:
            text = f"files and pictures lie in a container: they need the tool {INTERPRETER}"
            raise RefusalError(400, text)
        container = None
        if tool is not None:
            files = self._files(user, tool, attached)
            container = self._container(user, tool, before or conversation)
            self._bring(container, files, history)
        dialogue = begin(
            *(history, before, body.get("instructions")),
            functions=functions,
            runs_code=container is not None,
        )
        sampling = sampling_of(body, self._parts.order.sampling)
        calls = body.get("max_tool_calls")
        if calls is not None and (not isinstance(calls, int) or not 1 <= calls <= _MOST_CALLS):
            raise RefusalError(400, f"max_tool_calls: a number from 1 to {_MOST_CALLS} is wanted")
        told = _new_response(body, model)
        facts = {"response": told, "input": items, "dialogue": "", "container": ""}
        facts["container"] = name_of(container) if container is not None else ""
        response = self._shelf.add(user, RESPONSE, "", facts)
        told["id"] = name_of(response)
        if conversation is not None:
            told["conversation"] = {"id": name_of(conversation)}
        for at, item in enumerate(items):
            item.setdefault("id", f"msg_{response.id}{at:04d}")
        self._shelf.change(response, facts)
        return Order(
            *(response, told, dialogue, sampling, container, calls, functions, conversation)
        )

    def _before(self, user: int, body: Mapping[str, Any]) -> Chat | None:
        name = body.get("previous_response_id")
        if name is None:
            return None
        if not isinstance(name, str):
            raise RefusalError(400, "previous_response_id: a name is wanted")
        before = self._shelf.find(user, RESPONSE, name)
        if not before.settings["dialogue"]:
            raise RefusalError(409, f"{name} has no answer to go on from", "response_not_done")
        return before

    def _container(self, user: int, tool: Mapping[str, Any], before: Chat | None) -> Chat:
        """Return the container that a request names, that of the response before, or a new one."""
        wanted = tool.get("container", {"type": "auto"})
        if isinstance(wanted, str):
            return self._containers.find(user, wanted)
        if not isinstance(wanted, dict) or wanted.get("type") != "auto":
            raise RefusalError(400, "container: a name, or an object of type auto, is wanted")
        container = None
        if before is not None and before.settings["container"]:
            container = self._containers.find(user, before.settings["container"])
        if container is None:
            container = self._containers.create(user, name="auto")
        return container

    def _files(
        self, user: int, tool: Mapping[str, Any], attached: Sequence[Attached]
    ) -> list[tuple[str, bytes]]:
        """Return the names and the bytes of files that are to come into the container."""
        wanted = tool.get("container")
        names = (wanted.get("file_ids") if isinstance(wanted, dict) else None) or []
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            raise RefusalError(400, "file_ids: a list of names is wanted")
        all_files = [*(Attached(file_id=name) for name in names), *attached]
        return [self._file(user, each) for each in all_files]

    def _file(self, user: int, attached: Attached) -> tuple[str, bytes]:
        if not attached.file_id:
            return file_name(attached.name), attached.data
        file = self._shelf.find(user, FILE, attached.file_id)
        return file.title, self._parts.store.blobs.read(file.settings["blob"])

    def _bring(self, container: Chat, files: Sequence[tuple[str, bytes]], history: History) -> None:
        """Put files into a container, and tell the model of them as a chat does."""
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for name, data in files:
                path = Path(folder) / name
                path.write_bytes(data)
                self._containers.put(container, name, data)
                paths.append(path)
            if paths:
                history.tell_files(paths)

    def _answer(self, running: Running, order: Order, model: str) -> None:
        """Let the loop answer, and keep what came of it."""
        telling, dialogue = Telling(order.told, running.say), order.dialogue
        telling.offer(order.functions)
        status, error = "completed", None
        telling.begin()
        try:
            with ExitStack() as stack:
                if order.container is not None:
                    stack.enter_context(self._containers.using(order.container))
                dialogue = self._refine(running, order, model, telling)
        except RefusalError as refusal:
            status, error = "failed", {"code": refusal.code, "message": str(refusal.detail)}
        except CodeloopError as failure:
            status, error = "failed", {"code": "server_error", "message": str(failure)}
        if running.stopped:
            status, error = "cancelled", None
        order.told["completed_at"] = time.time()
        telling.end(status, error)
        usage = sum_usage(turn.usage for turn in telling.turns)
        seconds = order.told["completed_at"] - order.told["created_at"]
        self._parts.store.count(order.response.user, order.told["id"], model, usage, seconds)
        self._keep(order, dialogue, running)

    def _refine(
        self, running: Running, order: Order, model_name: str, telling: Telling
    ) -> Dialogue:
        stoppable = StoppableModel(self._parts.models.get(model_name))
        running.stops.append(stoppable.stop)
        session: Session = LazySession(_no_session, _no_session, runs_code=False)
        container, critics = order.container, []
        if container is not None:
            session = self._containers.recording(container, lambda: not running.stopped)
            running.stops.append(session.interrupt)
            critics = [ExecutionCritic(on_success=self._parts.order.explain)]
            before = {each.path: each for each in self._containers.files(container)}
            telling.run_in(
                *(name_of(container), session.languages),
                lambda: self._new_files(container, before),
            )
        limits = self._parts.order.limits
        limits = replace(limits, turns=order.turns + 1 if order.turns else limits.turns)
        dialogue = order.dialogue
        events = refine(
            dialogue, stoppable, session, critics, limits=limits, sampling=order.sampling
        )
        with closing(events):
            for event in events:
                telling.take(event)
                if isinstance(event, TurnDone | DialogueDone):
                    dialogue = event.dialogue
        return dialogue

    def _new_files(self, container: Chat, before: Mapping[str, object]) -> Sequence[Said]:
        return [
            {
                "type": "container_file_citation",
                "container_id": name_of(container),
                "file_id": file_id(container, each.path),
                "filename": shown_path(each.path).rpartition("/")[2],
            }
            for each in self._containers.files(container)
            if before.get(each.path) != each
        ]

    def _keep(self, order: Order, dialogue: Dialogue, running: Running) -> None:
        with self._lock:
            self._running.pop(order.response.id, None)
            self._ended[order.response.id] = running
            while len(self._ended) > _KEPT:
                self._ended.popitem(last=False)
        if order.conversation is not None and order.told["status"] in {"completed", "incomplete"}:
            items = [*order.response.settings["input"], *order.told["output"]]
            name = name_of(order.container) if order.container is not None else ""
            with suppress(RefusalError):  # it was removed meanwhile, or is full
                self._conversations.extend(order.conversation, items, container=name)
        if order.told["store"] is False and not order.told["background"]:
            self._parts.store.delete_chat(order.response)
            return
        facts = {**order.response.settings, "response": order.told}
        facts["container"] = name_of(order.container) if order.container is not None else ""
        facts["dialogue"] = records.encode(dialogue) if len(dialogue.turns) else ""
        facts["events"] = len(running.said)
        self._shelf.change(order.response, facts)


def shown(response: Said, include: Sequence[str]) -> Said:
    """Return a response, or an event, without outputs of code unless they are asked for."""
    if OUTPUTS in include:
        return response
    hidden = copied(response)
    whole = hidden.get("response", hidden)
    for item in [*whole.get("output", ()), hidden.get("item") or {}]:
        if item.get("type") == "code_interpreter_call":
            item["outputs"] = None
    return hidden  # type: ignore[no-any-return]


def _new_response(body: Mapping[str, Any], model: str) -> Said:
    """Return a response of which nothing is said yet."""
    kept = ("instructions", "previous_response_id", "temperature", "top_p", "max_output_tokens")
    told: Said = {name: body.get(name) for name in kept}
    metadata = body.get("metadata")
    return {
        "id": "",
        "object": "response",
        "created_at": time.time(),
        "completed_at": None,
        "status": "in_progress",
        "background": body.get("background") is True,
        "store": body.get("store") is not False,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "parallel_tool_calls": False,
        "tools": copied(body.get("tools") or []),
        "tool_choice": body.get("tool_choice") or "auto",
        "text": {"format": {"type": "text"}},
        "truncation": "auto",
        "usage": None,
        "metadata": metadata if isinstance(metadata, dict) else {},
        **told,
    }


def _no_session() -> Any:
    raise AssertionError  # a loop that runs nothing asks for none
