"""The code that a completion is to be tried by."""

import re

from codeloop.core.codeblocks import find_blocks

_ENTRY = {"python": 'if __name__ == "__main__":', "cpp": "int main()"}
_NEXT_STATEMENT = re.compile(r"\n(?=[^\s])")


def find_code(completion: str, language: str) -> str:
    """Return the first block in a language, or else the first; without any the whole completion."""
    blocks = find_blocks(completion)
    fitting = [block.code for block in blocks if block.language == language]
    code = next(iter(fitting), blocks[0].code if blocks else completion)
    return code.removesuffix("\n")


def without_entry(code: str, language: str) -> str:
    """Return code up to where a program would begin by itself."""
    head, _, _ = code.partition(_ENTRY.get(language, "# Example usage"))
    head, _, _ = head.partition("# Example usage")
    return head.strip()


def function_body(completion: str) -> str:
    """Return a completion of a function's head, up to the first statement after the function."""
    return _NEXT_STATEMENT.split(completion, maxsplit=1)[0]
