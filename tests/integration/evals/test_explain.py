"""Feedback that shows which values the code saw: if it is asked for, and clean of hidden tests."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from codeloop.core.errors import ConfigError
from codeloop.evals.benchmarks import benchmark
from codeloop.evals.prepared import Prepared, prepare, prepared_path
from codeloop.evals.run import SETTINGS, Evaluation, open_run, read_settings
from codeloop.evals.settings import FeedbackKind, Settings, checked
from codeloop.judge.many import RigPool
from codeloop.models.scripted import ScriptedModel

pytestmark = pytest.mark.jail

PROBLEM = {
    "task_id": "double",
    "prompt": "Write double(x).",
    "entry_point": "double",
    "visible_asserts": ["assert double(3) == 6"],
    "inputs": [[3], [5]],
    "hidden_inputs": [[123456789]],
    "reference": "def double(x): return 2 * x",
}
WRONG = "```python\ndef double(x):\n    y = x + 123456786\n    return y\n```"


def run(chosen: Settings, folder: Path, pool: RigPool) -> ScriptedModel:
    path = folder / "own.jsonl"
    path.write_text(json.dumps(PROBLEM) + "\n", encoding="utf-8")
    own = benchmark(str(path))
    list(prepare(own, folder, folder, pool, threads=1))
    prepared = Prepared(prepared_path(folder, own), own)
    model = ScriptedModel(lambda _: WRONG)
    log, _ = open_run(folder, chosen)
    with log:
        (record,) = Evaluation(prepared, model, pool, chosen).run(
            log, [], prepared.ids, in_flight=1
        )
    assert isinstance(record, dict)
    assert record["leaks"] == []
    return model


def test_a_model_is_shown_the_values_if_it_is_asked_for(tmp_path: Path, pool: RigPool) -> None:
    chosen = Settings("own", "scripted", FeedbackKind.EXECUTION, turns=2)
    plain, told = tmp_path / "plain", tmp_path / "told"
    shown = {}
    for folder, explain in ((plain, False), (told, True)):
        folder.mkdir()
        model = run(checked(replace(chosen, explain=explain)), folder, pool)
        shown[explain] = model.calls[1].messages[-1].content
        assert json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["explain"] is explain
    values = "2:     y = x + 123456786\n3:     return y\n-> x = 3, y = 123456789\n"
    assert values in shown[True]
    assert "y = 1" not in shown[False]
    assert shown[True].partition("What the code did")[0] in shown[False]


def test_only_feedback_that_shows_a_test_can_explain_it() -> None:
    with pytest.raises(ConfigError, match="--explain"):
        checked(Settings("b", "m", FeedbackKind.RETRY, turns=2, explain=True))


def test_a_run_from_before_the_setting_was_there_goes_on(tmp_path: Path) -> None:
    chosen = Settings("b", "m")
    with open_run(tmp_path, chosen)[0]:
        pass
    path = tmp_path / SETTINGS
    facts = json.loads(path.read_text(encoding="utf-8"))
    del facts["explain"]
    path.write_text(json.dumps(facts), encoding="utf-8")
    assert read_settings(tmp_path) == chosen
    with open_run(tmp_path, chosen)[0]:
        pass
    with pytest.raises(ConfigError, match="other settings"):
        open_run(tmp_path, replace(chosen, feedback=FeedbackKind.EXECUTION, explain=True))
    assert replace(chosen, explain=True).digest != chosen.digest
