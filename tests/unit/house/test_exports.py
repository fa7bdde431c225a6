"""What `import codeloop` gives, and what it costs."""

import json
import subprocess
import sys

PUBLIC = [
    "CodeloopError",
    "Dialogue",
    "ExecutionResult",
    "Limits",
    "Message",
    "Status",
    "Turn",
    "refine",
]
HEAVY = {
    *("numpy", "prompt_toolkit", "pyarrow", "rich", "urllib3", "xllamacpp"),
    *("datasets", "peft", "torch", "transformers", "trl", "yaml"),
}


def ask(program: str) -> list[str]:
    """Run a program in a fresh interpreter and return the list that it prints as JSON."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    answer: list[str] = json.loads(done.stdout)
    return answer


def test_all_is_what_is_visible() -> None:
    program = "import codeloop, json; print(json.dumps([sorted(codeloop.__all__), dir(codeloop)]))"
    names, visible = ask(program)
    assert list(names) == PUBLIC
    assert [each for each in visible if not each.startswith("_")] == PUBLIC


def test_every_public_name_is_there() -> None:
    program = (
        "import codeloop, json;"
        "print(json.dumps([n for n in codeloop.__all__ if getattr(codeloop, n, None) is None]))"
    )
    assert ask(program) == []


def test_an_import_of_the_public_names_loads_no_dependency() -> None:
    program = (
        "import codeloop, json, sys; [getattr(codeloop, n) for n in codeloop.__all__];"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    assert not HEAVY & set(ask(program))
