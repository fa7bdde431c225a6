"""What can be asked of a chat: messages, cells, hints, stops; each begins work, or ends it."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from codeloop.core.dialogue import Cell, Feedback, Message, Source
from codeloop.core.errors import (
    CodeloopError,
    DataError,
    ModelError,
    SandboxError,
)
from codeloop.loop.opening import own_cells_text, request_text
from codeloop.loop.prompts import render, sections
from codeloop.server.chats.desk import Desk, Parts
from codeloop.server.chats.journal import Pace
from codeloop.server.chats.results import Load
from codeloop.server.chats.settings import MODES
from codeloop.server.chats.story import PASSED_OVER, Story, ToldCell, read_story
from codeloop.server.chats.telling import Teller
from codeloop.server.chats.work import Job, LoopOrder, Work, run_cell, run_loop
from codeloop.server.refusals import RefusalError, no_such
from codeloop.server.store.blobs import USER_BYTES, Blob
from codeloop.server.store.store import Chat


class Chats:
    """Begins and stops work in chats; may be used from many threads."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._desk = Desk(parts)

    def find(self, user: int, chat: str) -> Chat:
        """Return a user's chat.

        Raises:
            RefusalError: there is none of that id, or it is another's.
        """
        found = self.parts.store.chat(user, chat)
        if found is None:
            raise no_such("chat")
        return found

    def story(self, chat: str, load: Load | None = None) -> Story:
        """Return what a chat's events tell."""
        events = self.parts.store.events(chat, without=PASSED_OVER)
        return read_story(chat, events, load)

    def prompt(self, chat: Chat, turn: str) -> list[Message]:
        """Return what the model of a turn was told, as long as all of it fitted its context.

        Raises:
            RefusalError: the chat has no turn of that name that has ended.
        """
        story = self.story(chat.id)
        if story.dialogue is None or turn not in story.turn_ids:
            raise no_such("turn")
        before = story.dialogue.turns[: story.turn_ids.index(turn)]
        return render(replace(story.dialogue, turns=before))

    def describe(self, chat: Chat) -> dict[str, Any]:
        """Return a chat as clients are told of it."""
        return {
            "id": chat.id,
            "title": chat.title,
            "model": chat.shown_model,
            "settings": {key: each for key, each in chat.settings.items() if key != "alias"},
            "created_at": chat.created_at,
            "changed_at": chat.changed_at,
            "last_seq": chat.last_seq,
            "busy": self.is_busy(chat.id),
        }

    def is_busy(self, chat: str) -> bool:
        return self._desk.work(chat) is not None

    def ask(self, chat: Chat, text: str, *, files: Sequence[str] = (), mode: str = "auto") -> str:
        """Take a person's message, and let the loop answer it; return its name.

        Raises:
            RefusalError: something is in progress, too much is, or there is nothing to do.
        """
        if not text.strip():
            raise RefusalError(400, "a message has a text")
        order = self._order(chat, mode=mode)
        work = self._desk.claim(chat, "loop")
        with self._desk.undone(work):
            story = self.story(chat.id)
            told = self._told(story, text, files)
            name = f"m{story.messages + 1}"
            self._say(work, name, text, told, files)
            self._desk.start(work, self._loop(chat, order))
        return name

    def go_on(self, chat: Chat, turns: int) -> None:
        """Let the loop go on for some turns more.

        Raises:
            RefusalError: as for `ask`.
        """
        order = self._order(chat, turns=turns)
        work = self._desk.claim(chat, "loop")
        with self._desk.undone(work):
            story = self.story(chat.id)
            if story.dialogue is None:
                raise RefusalError(409, "there is nothing to go on with", "nothing_to_continue")
            last = story.dialogue.last
            if last is not None and not last.feedback:
                said = sections("own_cells")["continue"].substitute()
                self._feed_back(work, story, said)
            self._desk.start(work, self._loop(chat, replace(order, because="person")))

    def hint(self, chat: Chat, text: str) -> None:
        """Give the loop a person's feedback on its last turn, and let it go on.

        Raises:
            RefusalError: as for `ask`; or nothing was answered yet.
        """
        if not text.strip():
            raise RefusalError(400, "a hint has a text")
        work = self._desk.claim(chat, "loop")
        with self._desk.undone(work):
            story = self.story(chat.id)
            if story.dialogue is None or story.dialogue.last is None:
                raise RefusalError(409, "a hint needs a reply to speak about", "nothing_to_hint")
            self._feed_back(work, story, text)
            order = replace(self._order(chat), because="person")
            self._desk.start(work, self._loop(chat, order))

    def run_cell(
        self, chat: Chat, language: str, code: str, *, attempt_of: str | None = None
    ) -> str:
        """Run a person's own cell; return its name.

        Raises:
            RefusalError: as for `ask`; or it is an attempt of a cell that there is not.
        """
        work = self._desk.claim(chat, "cell")
        with self._desk.undone(work):
            story = self.story(chat.id)
            if attempt_of is not None and attempt_of not in story.cells:
                raise no_such("cell")
            teller = self._teller(work, story)
            name = teller.add_own(language, code, attempt_of)
            limits = self.parts.order.limits
            self._desk.start(work, lambda work: run_cell(work, teller, language, code, limits))
        return name

    def cell(self, chat: Chat, name: str) -> ToldCell:
        """Return a cell of a chat.

        Raises:
            RefusalError: it has none of that name.
        """
        cell = self.story(chat.id).cells.get(name)
        if cell is None:
            raise no_such("cell")
        return cell

    def fix(self, chat: Chat, name: str, note: str) -> str:
        """Let the model mend a cell; return the name of the message that asks for it.

        Raises:
            RefusalError: as for `ask`; or there is no such cell.
        """
        cell = self.cell(chat, name)
        work = self._desk.claim(chat, "loop")
        with self._desk.undone(work):
            story = self.story(chat.id)
            told = own_cells_text([_as_cell(cell)], note, mend=True)
            message = f"m{story.messages + 1}"
            self._say(work, message, note or f"Fix {name}", told, (), fixes=name)
            self._desk.start(work, self._loop(chat, self._order(chat), repairs=name))
        return message

    def stop(self, chat: Chat) -> bool:
        """Stop whatever is in progress; return whether there was anything."""
        work = self._desk.work(chat.id)
        if work is None:
            return False
        work.stop()
        if work.ticket is not None and self.parts.line.cancel(work.ticket):
            if work.what == "loop":
                data = {"reason": "stopped", "well": False, "detail": ""}
                work.pace.write("loop.ended", data)
            self._desk.end(work)
        return True

    def interrupt(self, chat: Chat) -> bool:
        """Interrupt the run in progress; the variables stay."""
        session = self.parts.rooms.live(chat.id)
        return session is not None and session.interrupt()

    def type_line(self, chat: Chat, line: str | None) -> None:
        """Answer code that asks for a line.

        Raises:
            RefusalError: nothing asks.
        """
        session = self.parts.rooms.live(chat.id)
        story = self.story(chat.id)
        if session is None or not story.open_cells:
            raise RefusalError(409, "no code asks for a line", "nothing_asks")
        cell, run = next(reversed(story.open_cells.items()))
        self.parts.journal.write(chat.id, "cell.typed", {"cell": cell, "run": run, "line": line})
        session.send_input(line)

    def allow(self, chat: Chat, *, run: bool) -> None:
        """Say whether a cell that waits for it may run.

        Raises:
            RefusalError: none waits.
        """
        work = self._desk.work(chat.id)
        if work is None or not work.waits:
            raise RefusalError(409, "no cell waits to be allowed", "nothing_waits")
        work.allowed.put(run)

    def restart(self, chat: Chat, *, replay: bool) -> None:
        """Throw the session away; with `replay`, run its cells again in a new one.

        Raises:
            RefusalError: something is in progress.
        """
        work = self._desk.claim(chat, "replay")
        with self._desk.undone(work):
            if replay:
                self._desk.start(work, self._replay)
                return
            self.parts.rooms.drop(chat.id)
            work.pace.write("sandbox.restarted", {})
            work.pace.write("sandbox.state", {"state": "none"})
            self._desk.end(work)

    def close_chat(self, chat: Chat) -> None:
        """Stop what is in progress in a chat, and close its session."""
        work = self._desk.work(chat.id)
        self.stop(chat)
        if work is not None and work.ticket is not None:
            work.ticket.done.wait(5)
        self.parts.rooms.drop(chat.id)

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop all that is in progress, and wait for it."""
        for work in self._desk.works():
            work.stop()
        self.parts.line.close(timeout_s)

    def pace(self, chat: str) -> Pace:
        """Return what writes a chat's events."""
        return self._desk.pace(chat)

    def _order(self, chat: Chat, *, mode: str = "auto", turns: int | None = None) -> LoopOrder:
        """Return how a loop is to go, by the chat's settings and what is asked of it."""
        if mode not in MODES:
            raise RefusalError(400, f"mode is one of {', '.join(sorted(MODES))}")
        alias = str(chat.settings.get("alias", ""))
        order = replace(self.parts.order, mode=mode, alias=alias)
        turns = turns or chat.settings.get("turns") or order.limits.turns
        return replace(order, limits=replace(order.limits, turns=turns))

    def _loop(self, chat: Chat, order: LoopOrder, *, repairs: str | None = None) -> Job:
        def job(work: Work) -> None:
            story = self.story(chat.id)
            teller = self._teller(work, story)
            if repairs is not None:
                teller.repair(repairs)
            try:
                model = self.parts.models.get(chat.model or self.parts.models.default)
            except CodeloopError as error:
                teller.fail(error, "model")
                data = {"reason": "failed", "well": False, "detail": str(error)}
                work.pace.write("loop.ended", data)
                return
            run_loop(work, model, story, teller, order)

        return job

    def _replay(self, work: Work) -> None:
        try:
            self.parts.rooms.replay(work.room, on_event=work.pace.write)
        except (SandboxError, DataError, ModelError) as error:
            work.pace.write("error", {"where": "sandbox", "message": str(error)})
        work.rest()

    def _teller(self, work: Work, story: Story) -> Teller:
        chat, blobs = work.room.chat, self.parts.store.blobs

        def keep(data: bytes, mime: str) -> Blob:
            """Keep what a cell shows, as long as its user has room for it."""
            if blobs.used_bytes(work.room.user) + len(data) > USER_BYTES:
                return Blob("", mime, len(data))
            return blobs.put(chat, data, mime)

        return Teller(work.pace, keep, story)

    def _say(
        self,
        work: Work,
        name: str,
        text: str,
        told: str,
        files: Sequence[str],
        *,
        fixes: str | None = None,
    ) -> None:
        data: dict[str, Any] = {"message": name, "role": "user", "text": text, "files": list(files)}
        data |= {"branch_of": None, "told": told if told != text else None, "fixes": fixes}
        work.pace.write("message.added", data)

    def _feed_back(self, work: Work, story: Story, text: str) -> None:
        self._teller(work, story).give_feedback(story.turn_ids[-1], Feedback(Source.PERSON, text))

    def _told(self, story: Story, text: str, files: Sequence[str]) -> str:
        """Return a message as the model is told it: with its files, and a person's own cells."""
        missing = [name for name in files if name not in story.files]
        if missing:
            raise RefusalError(400, f"{missing[0]}: no such file was uploaded")
        told = self._described(story, text, files) if files else text
        own = [_as_cell(each) for each in story.own if each.result is not None]
        return own_cells_text(own, told) if own else told

    def _described(self, story: Story, text: str, files: Sequence[str]) -> str:
        """Return a message with the heads of its files, which are read under their own names."""
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for name in files:
                path = Path(folder) / Path(name).name
                path.symlink_to(self.parts.store.blobs.path(story.files[name]))
                paths.append(path)
            return request_text(text, paths)


def _as_cell(cell: ToldCell) -> Cell:
    return Cell(cell.language, cell.code, cell.result)
