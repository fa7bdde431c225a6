"""What is found in data before any weight is loaded, each fault planted on purpose."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.train.dialogues import dialogues, sources
from unit.train.families import FAMILIES, family_tokenizer

from codeloop.core.errors import DataError
from codeloop.core.records import encode
from codeloop.train.cache import SHARD_ROWS, rows_of, shards
from codeloop.train.checking.lengths import lengths
from codeloop.train.checking.page import page
from codeloop.train.checking.report import Report, check, epoch
from codeloop.train.config import DataSettings, Mask, Split, TrainConfig
from codeloop.train.facts import Fault
from codeloop.train.rendering import from_dialogue
from codeloop.train.shaping import Shaping
from codeloop.train.templates import Template, training_template
from codeloop.train.tokens import tokenised
from codeloop.train.tuning.feeding import feed

CODE = "```python\nprint(1)\n```"
GOOD = {
    "id": "good",
    "messages": [
        {"role": "user", "content": "Print 1."},
        {"role": "assistant", "content": CODE, "failed": False},
        {"role": "execution", "content": "1"},
        {"role": "assistant", "content": "It works."},
    ],
}


def said(*contents: str, failed: bool | None = None) -> dict[str, Any]:
    """Return a row of user and assistant in turn; `failed` is said of each reply with code."""
    messages: list[dict[str, Any]] = []
    for at, content in enumerate(contents):
        messages.append({"role": ("user", "assistant")[at % 2], "content": content})
        if at % 2 and "```" in content and failed is not None:
            messages[-1]["failed"] = failed
    return {"id": contents[0], "messages": messages}


@cache
def tokenizer() -> Any:
    return family_tokenizer(FAMILIES[-1], sources(60))


def shaped(*, mask: Mask = Mask.ALL, max_length: int = 4096) -> Shaping:
    return Shaping(tokenizer(), training_template(tokenizer()), mask, max_length)


def write(path: Path, rows: Iterable[object]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def checked(folder: Path, rows: Iterable[object], **options: Any) -> Report:
    write(folder / "rows.jsonl", rows)
    max_length = options.pop("max_length", 4096)
    config = TrainConfig(
        "m", (DataSettings("rows.jsonl"),), trl={"max_length": max_length}, path=folder / "c.yaml"
    )
    shaping = options.pop("shaping", None) or shaped(max_length=max_length)
    return check(config, shaping, folder / "cache", workers=1, **options)


def faults(report: Report) -> dict[Fault, int]:
    return {each.fault: each.rows for each in report.findings}


def test_good_rows_are_found_good(tmp_path: Path) -> None:
    report = checked(tmp_path, [GOOD, *(json.loads(encode(each)) for each in dialogues(20))])
    assert not report.refusals
    assert not faults(report).keys() - {Fault.FAILING}
    report.refuse()
    assert sum(report.kinds) == sum(each.epoch_learned for each in report.shares) > 0


@pytest.mark.parametrize(
    ("fault", "row"),
    [
        (Fault.MALFORMED, "{broken"),
        (Fault.MALFORMED, {"text": "no messages"}),
        (Fault.SPECIAL, said("q", "It ends with <|im_end|> here.")),
        (Fault.CLAIM, said("q", CODE, "Traceback (most recent call last): ...", "All tests pass.")),
        (Fault.CLAIM, said("q", CODE, "It failed.", "Now it works as expected.", failed=True)),
        (Fault.EMPTY, {"id": "e", "messages": [{"role": "user", "content": "And?"}]}),
    ],
)
def test_a_fault_forbids_to_train_and_says_where_and_what_helps(
    fault: Fault, row: object, tmp_path: Path
) -> None:
    report = checked(tmp_path, [GOOD, row])
    assert [each.fault for each in report.refusals] == [fault]
    with pytest.raises(DataError, match=r"rows\.jsonl:2: .*: .+"):
        report.refuse()


def test_what_does_not_forbid_is_told(tmp_path: Path) -> None:
    rows = [
        *[{**GOOD, "id": f"{at}"} for at in range(2)],
        said("a", CODE, "It failed.", "I could not do it.", failed=True),
        said("b", CODE, failed=True),
    ]
    report = checked(tmp_path, rows)
    assert faults(report) == {Fault.DUPLICATE: 1, Fault.FAILING: 2}
    assert not report.refusals


def test_a_repair_that_was_obtained_may_say_that_it_works(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": CODE, "failed": True},
        {"role": "execution", "content": "Traceback (most recent call last): ..."},
        {"role": "assistant", "content": CODE, "failed": False},
        {"role": "execution", "content": "1"},
        {"role": "assistant", "content": "Now it works."},
    ]
    assert not checked(tmp_path, [{"messages": messages}]).findings


def test_a_mask_that_differs_from_the_reference_forbids(tmp_path: Path) -> None:
    right = training_template(tokenizer())
    wrong = right.training.replace("{{ message['content'] + '<|im_end|>' }}{% endg", "{% endg")
    wrong = wrong.replace("{{ '\n' }}", "{{ message['content'] + '<|im_end|>' + '\n' }}", 1)
    assert wrong != right.training
    bad = Template(right.inference, wrong, right.stop)
    report = checked(tmp_path, [GOOD], shaping=Shaping(tokenizer(), bad, Mask.ALL, 4096))
    assert Fault.MASK in faults(report)
    assert report.refusals


def test_a_template_that_does_not_train_the_stop_token_forbids(tmp_path: Path) -> None:
    right = training_template(tokenizer())
    endless = right.training.replace(
        "{{ message['content'] + '<|im_end|>' }}{% endgeneration %}",
        "{{ message['content'] }}{% endgeneration %}{{ '<|im_end|>' }}",
    )
    bad = Template(right.inference, endless, right.stop)
    report = checked(tmp_path, [GOOD], shaping=Shaping(tokenizer(), bad, Mask.ALL, 4096))
    assert Fault.STOP in faults(report)
    assert report.refusals


def test_an_engine_with_another_tokenizer_forbids(tmp_path: Path) -> None:
    def engine(text: str) -> list[int]:
        ids: list[int] = tokenizer()(text, add_special_tokens=False)["input_ids"]
        return ids if "7" not in text else [*ids, 0]

    rows = [said(f"Is {at} even?", "Yes.") for at in range(10)]
    report = checked(tmp_path, rows, engine=engine)
    assert faults(report) == {Fault.ENGINE: 1}
    assert report.refusals
    assert not checked(tmp_path, rows[:5], engine=engine).findings


def test_a_problem_of_a_benchmark_forbids(tmp_path: Path) -> None:
    report = checked(
        tmp_path, [GOOD], overlaps=lambda text: [("b/1", "its words")] if "Print 1" in text else []
    )
    assert [each.fault for each in report.refusals] == [Fault.OVERLAP]


def test_rows_are_cut_at_the_length_and_what_is_cut_is_counted(tmp_path: Path) -> None:
    long = said("q " * 300, "a " * 300)
    report = checked(tmp_path, [GOOD, GOOD, long], max_length=400)
    assert faults(report)[Fault.CUT] == 1
    longest = max(report.files[0].facts, key=lambda each: each.tokens)
    assert longest.tokens > 400
    tokens = [len(row.ids) for shard in report.files[0].shards for row in rows_of(shard)]
    assert max(tokens) == 400


def test_kept_rows_are_those_that_tokenising_gives(tmp_path: Path) -> None:
    given = list(dialogues(12))
    path = write(tmp_path / "d.jsonl", [encode(each) for each in given])
    (shard,) = shards(path, shaped(), tmp_path / "cache", workers=1)
    wanted = tokenised(tokenizer(), training_template(tokenizer()), map(from_dialogue, iter(given)))
    assert list(rows_of(shard)) == list(wanted)


def test_a_shard_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    rows = [said(f"Add {at}.", CODE) for at in range(SHARD_ROWS + 5)]
    path, folder = write(tmp_path / "d.jsonl", rows), tmp_path / "cache"
    first = shards(path, shaped(), folder, workers=1)
    made = {each.arrow: each.arrow.stat().st_mtime_ns for each in first}
    write(path, [*rows, GOOD])
    again = shards(path, shaped(), folder, workers=1)
    assert next(each.arrow for each in first) == again[0].arrow
    assert again[0].arrow.stat().st_mtime_ns == made[again[0].arrow]
    assert again[1].arrow not in made
    assert len(again[1].facts) == 6
    assert again[1].facts[-1].line == SHARD_ROWS + 6


@pytest.mark.parametrize("change", [{"mask": Mask.LAST}, {"max_length": 64}])
def test_other_settings_make_other_shards(change: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", [GOOD])
    (one,) = shards(path, shaped(), tmp_path / "cache", workers=1)
    (other,) = shards(path, shaped(**change), tmp_path / "cache", workers=1)
    assert one.arrow != other.arrow


def test_a_shard_of_which_half_was_written_is_made_anew(tmp_path: Path) -> None:
    path, folder = write(tmp_path / "d.jsonl", [GOOD]), tmp_path / "cache"
    (shard,) = shards(path, shaped(), folder, workers=1)
    shard.arrow.with_suffix(".json").write_text('[{"line": 1,')
    assert shards(path, shaped(), folder, workers=1) == [shard]


@pytest.mark.slow
def test_processes_make_the_shards_that_one_makes(tmp_path: Path) -> None:
    rows = [said(f"Add {at}.", CODE) for at in range(3 * SHARD_ROWS + 1)]
    path = write(tmp_path / "d.jsonl", rows)
    alone = shards(path, shaped(), tmp_path / "a", workers=1)
    together = shards(path, shaped(), tmp_path / "b", workers=2)
    assert [each.facts for each in alone] == [each.facts for each in together]
    assert [each.arrow.read_bytes() for each in alone] == [
        each.arrow.read_bytes() for each in together
    ]


def test_a_mix_takes_good_rows_alone(tmp_path: Path) -> None:
    write(tmp_path / "single.jsonl", [said(f"Add {at}.", CODE) for at in range(6)])
    write(tmp_path / "multi.jsonl", [GOOD, {**GOOD, "messages": GOOD["messages"][:1]}] * 2)
    config = TrainConfig(
        "m",
        (
            DataSettings("single.jsonl", parts=2),
            DataSettings("multi.jsonl", parts=1),
            DataSettings("multi.jsonl", Split.EVAL),
        ),
        path=tmp_path / "c.yaml",
    )
    report = check(config, shaped(), tmp_path / "cache", workers=1)
    order = epoch(report.files[:2], seed=0)
    assert sorted(row for file, row in order if file == 0) == list(range(6))
    assert {row for file, row in order if file == 1} == {0, 2}
    assert len(order) == 9
    assert report.epoch_tokens == sum(each.epoch_tokens for each in report.shares[:2])


def test_an_epoch_is_mapped_from_the_shards_row_by_row(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [said(f"Add {at}.", CODE) for at in range(SHARD_ROWS + 3)])
    write(tmp_path / "b.jsonl", ["{broken", GOOD])
    data = (DataSettings("a.jsonl", weight=0.5), DataSettings("b.jsonl", weight=2.0))
    config = TrainConfig("m", data, path=tmp_path / "c.yaml", seed=3)
    report = check(config, shaped(), tmp_path / "cache", workers=1)
    rows = [[row for shard in each.shards for row in rows_of(shard)] for each in report.files]
    wanted = [rows[file][row].columns() for file, row in epoch(report.files, seed=3)]
    fed = feed(config, report, Split.TRAIN)
    assert fed is not None
    assert fed.to_list() == wanted
    assert len(wanted) == 502 + 2


def test_the_page_shows_each_kind_and_lets_no_text_be_a_tag(tmp_path: Path) -> None:
    rows = [
        said("<script>alert(1)</script>", CODE, "It failed.", CODE, failed=True),
        said("b", "Plain </pre><b>words</b>."),
    ]
    html = page(checked(tmp_path, rows))
    assert all(f"<b class=k{kind}>" in html for kind in (1, 2, 3))
    assert "<script" not in html
    assert "src=" not in html
    assert html.count("<pre>") == html.count("</pre>") == 2


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(10, 200))
def test_figures_of_lengths_add_up(tokens: list[int], length: int) -> None:
    figures = lengths(tokens, max_length=length)
    assert sum(rows for _, _, rows in figures.bars) == figures.rows == len(tokens)
    assert figures.percentiles[-1][1] == max(tokens)
    cut = {each: rows for each, rows, _ in figures.cut}
    if length in cut:
        assert round(cut[length] * len(tokens)) == sum(each > length for each in tokens)
    assert all(0 <= share < 1 for _, share in figures.padding)
    assert figures.padding[0] == (1, 0.0)
    assert 0 <= figures.packed < 1
