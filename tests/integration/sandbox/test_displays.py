import base64
from collections.abc import Iterator

import pytest

from codeloop.cli.wiring import guest_packages
from codeloop.core.execution import ExecutionResult, Status
from codeloop.sandbox import SandboxSession, open_sandbox

pytestmark = pytest.mark.jail


@pytest.fixture(scope="module")
def science() -> Iterator[SandboxSession]:
    """A session whose code may import what `scripts/guest-packages` installs."""
    packages = guest_packages()
    assert packages is not None, "run scripts/guest-packages first"
    with open_sandbox(guest_packages=packages) as sandbox:
        yield sandbox.open_session(stateful=True)


def run(session: SandboxSession, code: str) -> ExecutionResult:
    *_, result = session.run(code)
    assert isinstance(result, ExecutionResult)
    return result


def shown(result: ExecutionResult) -> list[dict[str, str]]:
    assert result.status is Status.OK, result.stderr.text
    return [dict(display.parts) for display in result.displays]


def test_a_value_is_shown_in_every_form_that_it_has(kernel: SandboxSession) -> None:
    code = """
class Rich:
    def __repr__(self): return "plain"
    def _repr_html_(self): return "<b>rich</b>"
    def _repr_png_(self): return b"\\x89PNG"
    def _repr_svg_(self): return ("<svg/>", {"meta": 1})
    def _repr_latex_(self): return None
    def _repr_markdown_(self): raise ValueError
Rich()
"""
    assert shown(run(kernel, code)) == [
        {
            "text/plain": "plain",
            "text/html": "<b>rich</b>",
            "image/png": base64.b64encode(b"\x89PNG").decode(),
            "image/svg+xml": "<svg/>",
        }
    ]


@pytest.mark.parametrize("code", ["None", "x = 1", "class A:\n    _repr_html_ = 1", ""])
def test_what_has_nothing_to_show_shows_nothing(kernel: SandboxSession, code: str) -> None:
    assert shown(run(kernel, code)) == []


def test_a_class_is_shown_as_itself(kernel: SandboxSession) -> None:
    code = "class A:\n    def _repr_html_(self): return 'x'\nA"
    assert [list(parts) for parts in shown(run(kernel, code))] == [["text/plain"]]


def test_a_form_that_is_too_long_is_left_out(kernel: SandboxSession) -> None:
    code = "class A:\n    def _repr_html_(self): return 'x' * 9_000_000\nA()"
    assert [list(parts) for parts in shown(run(kernel, code))] == [["text/plain"]]


def test_figures_are_shown_without_being_asked_for_and_only_once(science: SandboxSession) -> None:
    code = "import matplotlib.pyplot as plt\nfor n in 1, 2:\n    plt.figure()\n    plt.plot([n, 2])"
    figures = shown(run(science, code))
    assert len(figures) == 2
    for figure in figures:
        assert figure["text/plain"].startswith("<Figure")
        assert base64.b64decode(figure["image/png"]).startswith(b"\x89PNG")
    assert shown(run(science, "x = 1")) == []


def test_show_is_no_reason_to_complain(science: SandboxSession) -> None:
    result = run(science, "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()")
    assert len(shown(result)) == 1
    assert result.stderr.text == ""


def test_a_table_is_shown_as_html_too(science: SandboxSession) -> None:
    (table,) = shown(run(science, "import pandas as pd\npd.DataFrame({'a': [1, 2]})"))
    assert table["text/plain"] == "   a\n0  1\n1  2"
    assert "<table" in table["text/html"]
