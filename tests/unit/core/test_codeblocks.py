import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from codeloop.core.codeblocks import CodeBlock, find_blocks, normalise_language


def peer_blocks(text: str) -> list[tuple[str, str]]:
    tokens = MarkdownIt("commonmark").parse(text)
    return [(token.info.strip(), token.content) for token in tokens if token.type == "fence"]


def our_blocks(text: str) -> list[tuple[str, str]]:
    return [(block.info, block.code) for block in find_blocks(text)]


CASES = {
    "plain": ("```python\nprint(1)\n```", [("python", "print(1)\n")]),
    "capital": ("```Python\nx\n```", [("Python", "x\n")]),
    "tildes": ("~~~py\nx\n~~~", [("py", "x\n")]),
    "long fence": ("`````py\n```\nx\n`````", [("py", "```\nx\n")]),
    "closing longer": ("```py\nx\n`````", [("py", "x\n")]),
    "unclosed": ("```py\nx = 1\n\n\n", [("py", "x = 1\n")]),
    "fence at the end of the last line": ("```py\nprint(1)```", [("py", "print(1)\n")]),
    "several": ("```py\na\n```\ntext\n```js\nb\n```", [("py", "a\n"), ("js", "b\n")]),
    "nested by length": ("````md\n```py\nx\n```\n````", [("md", "```py\nx\n```\n")]),
    "in a list": ("1. a\n   ```py\n   x\n     y\n   ```\n2. b", [("py", "x\n  y\n")]),
    "in a nested list": ("- a\n  - b\n    ```py\n    x\n    ```", [("py", "x\n")]),
    "in a list, not indented": ("1. a\n   ```py\nx = 1\n   ```", [("py", "x = 1\n")]),
    "in a quote": ("> ```py\n> x\n> ```\ny", [("py", "x\n")]),
    "a quote ends its block": ("> ```py\n> x\ny", [("py", "x\n")]),
    "crlf": ("```py\r\nx\r\n```\r\n", [("py", "x\n")]),
    "after html": ("<details>\n```py\nx\n```\n</details>", [("py", "x\n")]),
    "inline code is no block": ("```py x``` and `y`", []),
    "indented code is no fence": ("a\n\n    ```py\n    x\n    ```", []),
    "thoughts are not looked at": (
        "<think>\n```py\nno\n```\n</think>\n```py\nyes\n```",
        [("py", "yes\n")],
    ),
    "unfinished thoughts": ("<think>\n```py\nno\n```", []),
    "fence in a docstring": (
        '```python\ndef f():\n    """Use:\n```\nf()\n```\n    """\n    return 1\n```\nend',
        [("python", 'def f():\n    """Use:\n```\nf()\n```\n    """\n    return 1\n')],
    ),
    "a docstring that never ends": (
        '```python\nx = """oops\n```\ntext\n```py\ny\n```',
        [("python", 'x = """oops\n'), ("py", "y\n")],
    ),
    "empty": ("```py\n```", [("py", "")]),
    "prose": ("Yes\n\n42\n\n# Title\n", []),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_finds_the_blocks_that_people_and_models_write(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert our_blocks(text) == expected


@pytest.mark.parametrize(
    ("info", "language"),
    [
        *[(info, "python") for info in ("py", "Python", "python3", "PY3", "ipython", " python ")],
        *[(info, "python") for info in ("{python}", "{.python .numberLines}", "python title=a.py")],
        *[(info, "python") for info in ("python:main.py", "python,runnable", 'py {"x": 1}')],
        *[("js", "javascript"), ("c++", "cpp"), ("C#", "c#"), ("sh", "bash"), ("", ""), ("!", "")],
    ],
)
def test_names_the_language_of_an_info_string(info: str, language: str) -> None:
    assert normalise_language(info) == language


def test_says_whether_a_block_was_closed() -> None:
    assert find_blocks("```py\nx") == (CodeBlock("py", "x\n", closed=False),)
    assert find_blocks("```py\nx\n```") == (CodeBlock("py", "x\n", closed=True),)


LINES = st.sampled_from(
    [
        *["```", "````", "~~~", "```js", "~~~ rb", "  ```", "   ~~~~", "    ```", "x", "", "  y"],
        *[
            "# t",
            "***",
            "    indented",
            "a `b` c",
            "```js x `y`",
            "```  ",
            "``` go ",
            "- - -",
            "``",
        ],
    ]
)


@given(st.lists(LINES, max_size=14))
def test_agrees_with_a_commonmark_parser_outside_containers(lines: list[str]) -> None:
    text = "\n".join([*lines, "end"])  # where a fence ends the text we are kinder
    ours = [(info, code.rstrip()) for info, code in our_blocks(text)]
    assert ours == [(info, code.rstrip()) for info, code in peer_blocks(text)]


@st.composite
def nested(draw: st.DrawFn, depth: int = 0) -> list[str]:
    """Return the lines of a well-formed document with fences in quotes and lists."""
    blocks: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["text", "fence", "quote", "item"] if depth < 3 else ["text"]))
        blocks += [*_block(draw, kind, depth), ""]
    return blocks


def _block(draw: st.DrawFn, kind: str, depth: int) -> list[str]:
    if kind == "text":
        return draw(st.lists(st.sampled_from(["a", "b c", "d"]), min_size=1, max_size=3))
    if kind == "fence":
        fence = draw(st.sampled_from(["```", "````", "~~~", "~~~~~"]))
        code = draw(st.lists(st.sampled_from(["x", "  y", "", "- z", "> q", "``"]), max_size=4))
        return [f"{fence}{draw(st.sampled_from(['', 'js', ' rb x=1']))}", *code, fence]
    inner = draw(nested(depth + 1))
    if kind == "quote":
        return [f"> {line}" for line in inner]
    marker = draw(st.sampled_from(["- ", "*  ", "1. ", "27) "]))
    return [marker + inner[0], *(" " * len(marker) + line if line else "" for line in inner[1:])]


@given(nested())
def test_agrees_with_a_commonmark_parser_in_quotes_and_lists(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert our_blocks(text) == peer_blocks(text)


@given(st.text(alphabet="`~>- 1.\n\t\"'#<x\\\0é", max_size=80))
def test_survives_any_text(text: str) -> None:
    for block in find_blocks(text):
        assert isinstance(block.language, str)
