"""What is in progress in a chat: a loop, or a cell, from its beginning to its end."""

import queue
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from codeloop.core.dialogue import Message, Role
from codeloop.core.errors import CodeloopError, ModelError, SandboxError
from codeloop.core.events import DialogueDone, EndReason, ExecutionDone
from codeloop.core.execution import ExecutionResult, Status
from codeloop.core.protocols import Model, Sampling
from codeloop.loop.critics import ExecutionCritic
from codeloop.loop.limits import Limits
from codeloop.loop.refine import refine
from codeloop.server.chats.journal import Pace
from codeloop.server.chats.line import Ticket
from codeloop.server.chats.rooms import LazySession, Room, Rooms, RoomSession
from codeloop.server.chats.story import Story
from codeloop.server.chats.telling import Teller
from codeloop.server.models import StoppableModel, StoppedError
from codeloop.server.pressing import press

_KILL_AFTER_S = 0.7  # for code that takes no notice of an interrupt


@dataclass(frozen=True, slots=True)
class LoopOrder:
    """How a loop is to go: `mode` is auto, ask (run nothing) or confirm (ask before each cell)."""

    because: str = "request"
    mode: str = "auto"
    limits: Limits = Limits()
    sampling: Sampling = Sampling()
    alias: str = ""  # told in place of the model's name
    explain: bool = True  # show the model what code printed that ran well


@dataclass(slots=True, eq=False)
class Work:
    """A loop or a cell in progress; what is asked of it comes from other threads."""

    room: Room
    pace: Pace
    rooms: Rooms
    what: str  # loop, cell or replay
    ticket: Ticket | None = None
    model: StoppableModel | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    ending: bool = False  # has told, or is about to tell, how it ended
    waits: bool = False  # for a person to allow a cell
    allowed: "queue.SimpleQueue[bool]" = field(default_factory=queue.SimpleQueue)
    files: dict[str, tuple[int, float]] = field(default_factory=dict)

    def session(self) -> RoomSession:
        """Return the chat's session, opened if need be.

        Raises:
            SandboxError: there is none to be had.
        """
        return self.rooms.get(self.room, on_event=self.pace.write)

    def stop(self) -> None:
        """End the model call and the run in progress; what heeds no interrupt is killed."""
        self.stopped.set()
        self.allowed.put(False)
        if self.model is not None:
            self.model.stop()
        press(self._interrupt, lambda: self.ticket is None or self.ticket.done.is_set())

    def _interrupt(self) -> None:
        session = self.rooms.live(self.room.chat)
        if session is not None and session.interrupt():
            timer = threading.Timer(_KILL_AFTER_S, self._kill, (session,))
            timer.daemon = True
            timer.start()

    def rest(self) -> None:
        """Tell the state of the session, and its files if they changed."""
        session = self.rooms.live(self.room.chat)
        if session is None:
            return
        self.pace.write("sandbox.state", self.rooms.state(session))
        tell_files(session, self.files, self.pace)

    def _kill(self, session: RoomSession) -> None:
        """Close a session that still runs what was stopped; it is replayed when it is needed."""
        if session.idle_since is None and self.rooms.live(self.room.chat) is session:
            self.rooms.drop(self.room.chat)
            self.pace.write("sandbox.state", {"state": "dead", "why": "stopped"})


def run_loop(work: Work, model: Model, story: Story, teller: Teller, order: LoopOrder) -> None:
    """Let the loop answer, and tell of it; that it ended is told in any case."""
    assert story.dialogue is not None  # noqa: S101  a loop begins with a message
    limits, because = order.limits, order.because
    name = order.alias or model.name
    stoppable = work.model = StoppableModel(
        model, lambda: teller.begin_turn(name, of=limits.turns, because=because)
    )
    teller.alias = order.alias
    session = LazySession(
        work.session,
        lambda: _reopened(work),
        may_run=lambda _: _may_run(work, teller, order.mode),
        runs_code=order.mode != "ask",
    )
    critics = [ExecutionCritic(on_success=order.explain)]
    reason, well, detail = "failed", False, ""
    try:
        events = refine(
            *(story.dialogue, stoppable, session, critics), limits=limits, sampling=order.sampling
        )
        with closing(events):
            for event in events:
                teller.take(event)
                match event:
                    case ExecutionDone():
                        work.rest()
                    case DialogueDone(reason=why):
                        reason, well = why.value, event.ended_well
                    case _:
                        pass
        if work.stopped.is_set() and reason == EndReason.INTERRUPTED:
            reason = "stopped"
    except StoppedError:
        reason = "stopped"
        _keep_cut(teller, model, story)
    except CodeloopError as error:
        reason, detail = ("stopped", "") if work.stopped.is_set() else ("failed", str(error))
        if detail:
            teller.fail(error, "model" if isinstance(error, ModelError) else "sandbox")
            _keep_cut(teller, model, story)
    finally:
        work.ending = True
        work.pace.write("loop.ended", {"reason": reason, "well": well, "detail": detail})


def run_cell(work: Work, teller: Teller, language: str, code: str, limits: Limits) -> None:
    """Run a person's own cell, and tell of it."""
    try:
        session = work.session()
    except CodeloopError as error:
        teller.start_run(code)
        teller.finish(ExecutionResult(Status.INTERRUPTED, state_lost=True))
        teller.fail(error, "sandbox")
        return
    teller.start_run(code)
    result = ExecutionResult(Status.INTERRUPTED, state_lost=True)
    try:
        with closing(session.run(code, language=language, limits=limits.run)) as events:
            for event in events:
                if isinstance(event, ExecutionResult):
                    result = event
                else:
                    teller.take_output(event)
    except SandboxError as error:
        if not work.stopped.is_set():
            teller.fail(error, "sandbox")
            work.rooms.drop(work.room.chat)
    work.ending = True
    teller.finish(result)
    work.rest()


def tell_files(session: RoomSession, known: dict[str, tuple[int, float]], pace: Pace) -> None:
    """Tell what lies in the work directory, if that is not what is known."""
    try:
        files = session.list_files()
    except SandboxError:
        return
    now = {each.path: (each.size_bytes, each.changed_s) for each in files}
    if now != known:
        known.clear()
        known.update(now)
        pace.write("files.changed", {"files": files_json(files)})


def files_json(files: Any) -> list[dict[str, Any]]:
    """Return work files as the page is told of them."""
    return [
        {"name": each.path, "bytes": each.size_bytes, "changed_s": each.changed_s} for each in files
    ]


def _may_run(work: Work, teller: Teller, mode: str) -> bool:
    if mode == "confirm" and not work.stopped.is_set():
        work.waits = True
        work.pace.write("cell.waiting", {"cell": teller.cell})
        allowed = work.allowed.get()
        work.waits = False
        return allowed and not work.stopped.is_set()
    return not work.stopped.is_set()


def _reopened(work: Work) -> RoomSession:
    """Return a new session after one broke; nothing is opened for work that was stopped."""
    work.rooms.drop(work.room.chat)
    if work.stopped.is_set():
        raise StoppedError
    return work.session()


def _keep_cut(teller: Teller, model: Model, story: Story) -> None:
    """Keep what was written of a reply that was cut, with its tokens as we count them."""
    if not teller.text.strip():
        return
    prompt = story.dialogue.opening if story.dialogue else ()
    written = model.count_tokens([Message(Role.ASSISTANT, teller.text)])
    usage = {"prompt_tokens": model.count_tokens(prompt), "completion_tokens": written}
    teller.cut_turn(model.name, usage)


def with_turns(limits: Limits, turns: int) -> Limits:
    """Return limits for another number of turns."""
    return replace(limits, turns=turns)


Job = Callable[[Work], None]
