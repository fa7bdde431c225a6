"""Chats of a server that died, mended: what had begun there is told to have ended."""

from codeloop.core.execution import ExecutionResult, Status
from codeloop.server.chats.journal import Journal
from codeloop.server.chats.results import result_to_json
from codeloop.server.chats.story import PASSED_OVER, read_story
from codeloop.server.store.blobs import Blob
from codeloop.server.store.store import Store

_ENDED = "the server ended before this was done"


def mend(store: Store, journal: Journal) -> int:
    """End in the store what had begun and not ended; return in how many chats."""
    chats = store.unended()
    for chat in chats:
        mend_chat(store, journal, chat.id, why=_ENDED)
    return len(chats)


def mend_chat(
    store: Store, journal: Journal, chat: str, *, why: str, reason: str = "failed"
) -> None:
    """Tell of a chat that what its events leave open has ended: why, and for what reason."""
    result = ExecutionResult(Status.INTERRUPTED, state_lost=True)
    told = result_to_json(result, lambda data, mime: Blob("", mime, len(data)))
    story = read_story(chat, store.events(chat, without=PASSED_OVER))
    for cell, run in story.open_cells.items():
        journal.write(chat, "cell.finished", {"cell": cell, "run": run, "result": told})
    if story.messages and story.reason is None:
        ended: dict[str, object] = {"reason": reason, "well": False, "detail": why}
        journal.write(chat, "loop.ended", ended)
    journal.write(chat, "sandbox.state", {"state": "none"})
    journal.write(chat, "work.ended", {})
