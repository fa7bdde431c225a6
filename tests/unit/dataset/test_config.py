from pathlib import Path

import pytest

from codeloop.core.errors import ConfigError
from codeloop.core.execution import MIB, ExecutionLimits
from codeloop.dataset.config import ModelSettings, SandboxSettings, read_config
from codeloop.dataset.kinds import KINDS
from codeloop.dataset.refining import Refining

WHOLE = """
[run]
in_flight = 8
[[input]]
file = "q.jsonl"
[models.writer]
name = "m"
temperature = 1
price_prompt = 0.5
[sandbox]
[[stage]]
name = "refine"
turns = 2
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_config_is_read_whole(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, WHOLE), KINDS)
    assert config.run.in_flight == 8
    assert config.models == {"writer": ModelSettings("m", temperature=1.0, price_prompt=0.5)}
    assert config.models["writer"].price.prompt == 0.5
    assert config.sandbox is not None
    assert config.stages[0].settings == Refining(turns=2)
    assert config.file("q.jsonl") == tmp_path / "q.jsonl"
    assert config.file("/q.jsonl") == Path("/q.jsonl")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("[run]", "[runs]", "c.toml has no key 'runs'; nearest is 'run'"),
        ("in_flight", "in_fligth", r"\[run\] has no key 'in_fligth'; nearest is 'in_flight'"),
        ("temperature", "temprature", r"\[models.writer\] has no key 'temprature'; nearest is 't"),
        ('"refine"', '"refin"', r"\[\[stage\]\] has no stage 'refin'; nearest is 'refine'"),
        ("turns = 2", 'turns = "2"', r"\[\[stage\]\] refine: Refining.turns should be int, not"),
        ('name = "m"', "", r"\[models.writer\]: .*'name'"),
        ("[run]", "[run", "not TOML"),
        ("[[stage]]", "[[input]]", r"\[\[input\]\] has no key 'name'"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        read_config(written(tmp_path, WHOLE.replace(before, after, 1)), KINDS)


def test_a_config_needs_a_stage_and_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no \[\[stage\]\]"):
        read_config(written(tmp_path, ""), KINDS)
    with pytest.raises(ConfigError, match="No such file"):
        read_config(tmp_path / "none.toml", KINDS)


def test_the_config_of_the_published_build_is_one() -> None:
    path = Path(__file__).parents[3] / "configs" / "code-feedback.toml"
    config = read_config(path, KINDS)
    names = [each.kind.name for each in config.stages]
    assert names[0] == "dedup"
    assert names[-1] == "decontaminate_examples"
    assert {"complexity", "correct", "simulate", "pack"} <= {*names}


def test_the_settings_of_a_sandbox_bound_each_of_its_runs() -> None:
    settings = SandboxSettings(wall_s=2.0, cpu_s=1.0, memory_mb=3)
    assert settings.limits == ExecutionLimits(cpu_s=1.0, wall_s=2.0, memory_bytes=3 * MIB)
