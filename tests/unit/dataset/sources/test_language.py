"""The language of a row is told by its label, then its fences, then its words."""

import pytest

from codeloop.dataset.sources.forms import language_of


@pytest.mark.parametrize(
    ("query", "answer", "label", "language"),
    [
        ("Q", "```js\n1\n```", "Python", "python"),
        ("Q", "```\nx\n```\n~~~ C++\n1\n~~~", "", "cpp"),
        ("```rs\n1\n```", "A", "", "rust"),
        ("Q", "def f(x):\n    return x", "", "python"),
        ("Q", "import java.util.List;", "", ""),
        ("How do I do it in Java?", "", "", "java"),
        ("Write a C# class.", "", "", "csharp"),
        ("JavaScript, not Java", "", "", "javascript"),
        ("Let us go.", "", "", ""),
        ("Q", "", "text", ""),
        ("- ```python\n  1\n  ```", "", "", "python"),
    ],
)
def test_a_language_is_told(query: str, answer: str, label: str, language: str) -> None:
    assert language_of(query, answer, label=label) == language
