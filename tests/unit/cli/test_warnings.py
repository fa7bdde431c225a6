"""What Python has to say of a model's code is neither printed nor an error."""

import ast

import pytest

from codeloop.cli import main
from codeloop.core.problem import Problem
from codeloop.evals.extraction import Rule, extract


@pytest.mark.usefixtures("capsys")
def test_a_warning_about_a_models_code_does_not_hide_it() -> None:
    reply = "```python\ndef f(x):\n    return '\\d'\n```"
    with pytest.raises(SyntaxError):  # tests make errors of warnings
        ast.parse("'\\d'")
    assert main(["eval", "list"]) == 0
    assert extract(reply, Problem("p", "", (), "f")).rule is Rule.DEFINES
