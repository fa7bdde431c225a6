"""The estimate stays above what the tokenizer of Qwen2.5-Coder counts."""

import pytest

from codeloop.core.dialogue import Message, Role
from codeloop.models.estimate import OPENING_TOKENS, estimate_tokens

# what the tokenizer of Qwen2.5-Coder-0.5B makes of the text alone, without the template's part
COUNTED = [
    ("Write a function that returns the longest common prefix of a list of strings.", 15),
    ("def add(a, b):\n    while b:\n        a, b = b, a % b\n    return a\n", 25),
    ("nums = [1, 2, 3, 10000, -7, 42], k = 3, expected = [[1, 2], [3, 4]]", 44),
    (
        'Traceback:\n  File "main.py", line 3, in <module>\nNameError: name is not defined\n',
        25,
    ),
    ("你好，世界。请写一个函数，计算两个数的和。", 15),  # noqa: RUF001
    ("Schreibe eine Funktion, die prüft, ob eine Zahl größer als zwölf ist.", 21),
    ('{"id": 17, "tags": ["a", "b"], "price": 12.50, "ok": true}', 31),
    ("2026-01-02 03:04:05,678 INFO [worker-3] GET /v1/models 200 12ms", 42),
    ("SELECT name, COUNT(*) FROM users WHERE age > 30 GROUP BY name ORDER BY 2 DESC;", 22),
    (
        '#include <stdio.h>\nint main(void) {\n\tfor (;;)\n\t\tprintf("%d\\n", 7);\n}\n',
        23,
    ),
    ("| a | b |\n|---|---|\n| 1 | 2 |\n", 17),
    ("🎉🚀 done! 100%", 9),
]


@pytest.mark.parametrize(("text", "tokens"), COUNTED, ids=range(len(COUNTED)))
def test_it_is_above_and_not_by_much(text: str, tokens: int) -> None:
    estimate = estimate_tokens((Message(Role.USER, text),))
    assert tokens + 29 <= estimate <= 4 * tokens + OPENING_TOKENS + 8


def test_it_grows_with_every_message() -> None:
    message = Message(Role.USER, "")
    assert estimate_tokens([message] * 3) > estimate_tokens([message]) > 0
