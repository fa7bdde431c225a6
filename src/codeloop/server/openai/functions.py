"""Functions of a client: a model calls one in a fenced block, the client answers with what it gave.

So any model that writes text can call them, as any can write code to run.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codeloop.loop.prompts import sections
from codeloop.publishing.notebooks.parts import fenced
from codeloop.server.refusals import RefusalError

CALL = "call"  # how the block is marked
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST = 64


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions that a request offers, by name, with what is told of each; `must` be called."""

    told: Mapping[str, str]
    must: str = ""  # a name, or `required`; empty: only where it helps

    @property
    def text(self) -> str:
        """What the model is told of them; empty if there are none."""
        if not self.told:
            return ""
        say = sections("functions")
        offer = say["offer"].substitute(functions="\n".join(self.told.values()))
        if not self.must:
            return offer
        must = say["required"] if self.must == "required" else say["named"]
        return f"{offer}\n\n{must.substitute(name=self.must)}"

    def called(self, block: str) -> tuple[str, str] | None:
        """Return the name and the arguments, as JSON, of a block that calls one of them."""
        try:
            call = json.loads(block)
        except (ValueError, RecursionError):
            return None
        name = str(call.get("name")) if isinstance(call, dict) else ""
        arguments = call.get("arguments", {}) if name in self.told else None
        if not isinstance(arguments, dict):
            return None
        return name, json.dumps(arguments, ensure_ascii=False)


NONE = Functions({})


def functions_of(tools: Sequence[Mapping[str, Any]], choice: Any) -> Functions:
    """Return the functions among the tools of a request.

    Raises:
        RefusalError: one has no proper name or schema, or the one that must be called is not there.
    """
    offered = [each for each in tools if each.get("type") == "function"]
    if len(offered) > _MOST:
        raise RefusalError(400, f"tools: at most {_MOST} functions")
    told: dict[str, str] = {}
    for each in offered:
        name, schema = each.get("name"), each.get("parameters") or {}
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise RefusalError(400, "tools: a function has a name of letters, digits, _ and -")
        if not isinstance(schema, dict):
            raise RefusalError(400, f"tools: the parameters of {name} are no JSON Schema")
        facts = {"name": name, "description": each.get("description"), "parameters": schema}
        told[name] = json.dumps({key: value for key, value in facts.items() if value is not None})
    match choice:
        case "none":
            return NONE
        case "required":
            return Functions(told, "required" if told else "")
        case {"type": "function", "name": str(name)} if name in told:
            return Functions(told, name)
        case {"type": "function"}:
            raise RefusalError(400, "tool_choice: no such function is among the tools")
        case _:
            return Functions(told)


def call_text(name: str, arguments: str) -> str:
    """Return a call as a model writes it.

    Raises:
        RefusalError: the arguments are no JSON object.
    """
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise RefusalError(400, f"function_call: the arguments of {name} are no JSON") from error
    return fenced(json.dumps({"name": name, "arguments": given}, ensure_ascii=False), CALL)


def returned_text(name: str, output: str) -> str:
    """Return what a model is told that a call gave."""
    return sections("functions")["returned"].substitute(name=name, output=fenced(output))
