"""What was used, by whom and of which model; and what goes on now, for a monitor."""

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from codeloop.server.chats.service import Chats
from codeloop.server.endpoints import Asked, endpoint
from codeloop.server.node.metrics import CONTENT_TYPE

_SUMS = (
    "count(*) AS turns, sum(prompt_tokens) AS prompt_tokens,"
    " sum(completion_tokens) AS completion_tokens, sum(seconds) AS seconds"
)
_GAUGES = {
    "running": "Loops and cells at work.",
    "waiting": "Loops and cells in line.",
    "sessions": "Sessions that live.",
    "chats": "Chats that are kept.",
    "users": "Users.",
}


def counting_routes(chats: Chats) -> list[BaseRoute]:
    """Return the routes of usage and metrics."""
    parts = chats.parts
    database = parts.store.database

    def tell_usage(asked: Asked) -> Any:
        user = asked.user.id
        one = asked.query.get("chat")
        where, values = ("user = ? AND chat = ?", (user, one)) if one else ("user = ?", (user,))
        sql = f"SELECT model, {_SUMS} FROM usage WHERE {where} GROUP BY model"  # noqa: S608
        rows = [dict(row) for row in database.read(f"{sql} ORDER BY model", values)]
        return {"models": rows, "blob_bytes": parts.store.blobs.used_bytes(user)}

    def tell_metrics(_: Asked) -> Any:
        values = {
            "running": parts.line.running,
            "waiting": parts.line.waiting,
            "sessions": parts.rooms.count,
            "chats": database.read("SELECT count(*) FROM chats")[0][0],
            "users": database.read("SELECT count(*) FROM users")[0][0],
        }
        lines: list[str] = []
        for name, text in _GAUGES.items():
            full = f"codeloop_server_{name}"
            lines += [f"# HELP {full} {text}", f"# TYPE {full} gauge", f"{full} {values[name]}"]
        return Response("\n".join(lines) + "\n", media_type=CONTENT_TYPE)

    return [
        Route("/api/usage", endpoint(tell_usage)),
        Route("/metrics", endpoint(tell_metrics)),
    ]
