"""Rows that give a benchmark away are taken out: as a command, and as stages of a run."""

import json
from pathlib import Path

import pytest

from codeloop.cli import main
from codeloop.core.dialogue import Dialogue, Turn
from codeloop.core.errors import ConfigError
from codeloop.core.problem import CheckTests, Problem
from codeloop.dataset.decontamination.leaks import EXAMPLES_KIND, KIND, Settings
from codeloop.dataset.means import Surroundings
from codeloop.dataset.records import Example, Query, Way, write
from codeloop.dataset.stages import Gone, SetStage

CODE = "def once_more(text):\n    return ''.join(c * 2 for c in text)"
OTHER = "def f(word):\n    out = ''\n    for c in word:\n        out += c + c\n    return out"
ROWS = [
    Query("Explain this.", f"```python\n{OTHER}\n```"),
    Query("Write every letter of a text twice, and return the new text."),
    Query("Reverse a text.", "```python\ndef f(t):\n    return t[::-1]\n```"),
]
OWN = {
    "task_id": "own/1",
    "prompt": "Write every letter of a text twice, and return the new text.",
    "entry_point": "once_more",
    "asserts": ["assert once_more('ab') == 'aabb'", "assert once_more('') == ''"],
    "reference": CODE,
}


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.jail
def test_the_command_drops_what_leaks_and_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CODELOOP_HOME", str(tmp_path / "home"))
    own = tmp_path / "own.jsonl"
    own.write_text(f"{json.dumps(OWN)}\n", encoding="utf-8")
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    write(source, ROWS)
    command = ["dataset", "decontaminate", str(source), "--out", str(out), "--workers", "1"]
    assert main([*command, "--against", str(own)]) == 0
    assert [each["query"] for each in lines(out)] == ["Reverse a text."]
    report = json.loads(capsys.readouterr().out)
    assert (report["rows"], report["leaking"], report["problems"]) == (3, 2, 1)
    assert report["by_level"] == {"whole": 1, "runs": 0, "structure": 0, "behaviour": 1}
    leaks = [each["leaks"] for each in lines(tmp_path / "out.jsonl.leaks.jsonl")]
    assert str(leaks).count("own/1") == 2
    assert main([*command, "--against", str(own), "--no-run"]) == 0
    assert len(lines(out)) == 2


PROBLEM = Problem(
    "own/1", OWN_PROMPT := str(OWN["prompt"]), (CheckTests("assert once_more('a') == 'aa'"),),
    "once_more", reference=CODE,
)  # fmt: skip
HANDED = Surroundings(problems={"own": lambda: [PROBLEM]})


def test_as_a_stage_it_takes_out_queries_and_examples() -> None:
    settings = Settings(against=("own",), run=False)
    stage = KIND.build(settings, HANDED)
    assert isinstance(stage, SetStage)
    made = list(stage.work(ROWS))
    assert [each for each in made if not isinstance(each, Gone)] == [ROWS[0], ROWS[2]]
    (gone,) = (each for each in made if isinstance(each, Gone))
    assert (gone.key, gone.why) == (ROWS[1].id, "leak_whole")
    dialogue = Dialogue.ask("Hello").with_turn(Turn(OWN_PROMPT))
    example = Example(dialogue, Way.SIMULATION, (), "s", "l", "python", ())
    last = EXAMPLES_KIND.build(settings, HANDED)
    assert isinstance(last, SetStage)
    assert [type(each) for each in last.work([example])] == [Gone]


@pytest.mark.parametrize(
    ("settings", "why"),
    [(Settings(("none",)), "no benchmark 'none'"), (Settings(("own",)), "there is no sandbox")],
)
def test_a_stage_says_what_it_lacks(settings: Settings, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        KIND.build(settings, HANDED)
