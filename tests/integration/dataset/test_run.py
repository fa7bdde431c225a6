"""`codeloop dataset run` against an endpoint on loopback and the real jail."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from endpoint import Endpoint

from codeloop.dataset.records import Example, Query, read, write

CONFIG = """
[run]
in_flight = {in_flight}

[[input]]
file = "queries.jsonl"

[models.writer]
name = "mock"
base_url = "{url}"
timeout_s = {timeout_s}

[sandbox]
wall_s = 20

[[stage]]
name = "refine"
turns = 3
"""
FILES = ("made.jsonl", "left.jsonl", "failed.jsonl", "funnel.json")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    opened = Endpoint(latency_s=0.01)
    yield opened
    opened.close()


def prepared(
    folder: Path, endpoint: Endpoint, *, rows: int, in_flight: int = 8, timeout_s: float = 60
) -> Path:
    folder.mkdir(exist_ok=True)
    queries = [Query(f"Question {n}", source="own", licence="MIT") for n in range(rows)]
    write(folder / "queries.jsonl", queries)
    config = folder / "build.toml"
    text = CONFIG.format(url=endpoint.url, in_flight=in_flight, timeout_s=timeout_s)
    config.write_text(text, encoding="utf-8")
    return config


def command(config: Path, out: Path, *options: str) -> list[str]:
    run = ["dataset", "run", str(config), "--out", str(out), *options]
    return [sys.executable, "-m", "codeloop", *run]


def run(config: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(config, out, *options), capture_output=True, text=True, check=False, timeout=110
    )


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def asked_until(endpoint: Endpoint, calls: int, running: "subprocess.Popen[bytes]") -> None:
    while endpoint.asked.total() < calls and running.poll() is None:
        time.sleep(0.005)


@pytest.mark.jail
@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_and_comes_out_the_same(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    rows, in_flight = 40, 4
    config = prepared(tmp_path / "a", endpoint, rows=rows, in_flight=in_flight)
    assert run(config, tmp_path / "whole").returncode == 0
    whole, distinct = contents(tmp_path / "whole"), set(endpoint.asked)
    assert len(distinct) == 2 * rows
    endpoint.asked.clear()
    out = tmp_path / "killed"
    for calls in (5, 30, 62):
        with subprocess.Popen(
            command(config, out), stdout=subprocess.DEVNULL, start_new_session=True
        ) as running:
            asked_until(endpoint, calls, running)
            os.killpg(running.pid, signal.SIGKILL)
        assert not (out / "made.jsonl").exists()
    assert run(config, out).returncode == 0
    assert contents(out) == whole
    assert set(endpoint.asked) == distinct
    assert endpoint.asked.total() - len(distinct) <= 3 * in_flight
    again = endpoint.asked.total()
    assert run(config, out).returncode == 0
    assert (endpoint.asked.total(), contents(out)) == (again, whole)


@pytest.mark.jail
def test_what_is_made_holds_the_whole_exchange(tmp_path: Path, endpoint: Endpoint) -> None:
    config = prepared(tmp_path / "a", endpoint, rows=2)
    done = run(config, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "refine: 2 rows, 2 made" in done.stdout
    examples = list(read(Example, tmp_path / "out" / "made.jsonl"))
    (first, _) = examples
    assert isinstance(first, Example)
    error = first.dialogue.turns[0].results[0].error
    assert error is not None
    assert error.name == "ValueError"
    assert first.dialogue.turns[1].results[0].stdout.text == "1\n"
    assert len(first.runs) == 2
    assert (first.models, first.source, first.licence) == (("mock",), "own", "MIT")


@pytest.mark.jail
@pytest.mark.slow
def test_shards_merged_are_the_run_in_one_piece(tmp_path: Path, endpoint: Endpoint) -> None:
    config = prepared(tmp_path / "a", endpoint, rows=7)
    assert run(config, tmp_path / "whole").returncode == 0
    calls = endpoint.asked.total()
    out = tmp_path / "whole"
    shards = [out / f"shard-{n}-of-3" for n in (1, 2, 3)]
    for n in (1, 2, 3):
        assert run(config, out, "--shard", f"{n}/3").returncode == 0
    merge = ["dataset", "merge", *map(str, shards), "--out", str(tmp_path / "merged")]
    subprocess.run([sys.executable, "-m", "codeloop", *merge], check=True, capture_output=True)
    assert contents(tmp_path / "merged") == contents(out)
    assert endpoint.asked.total() == calls


@pytest.mark.jail
@pytest.mark.slow
def test_a_budget_stops_a_run_and_it_goes_on_with_more(tmp_path: Path, endpoint: Endpoint) -> None:
    config = prepared(tmp_path / "a", endpoint, rows=6, in_flight=1)
    out = tmp_path / "out"
    stopped = run(config, out, "--budget", "120tokens")
    assert stopped.returncode == 1
    assert "the budget of 120 tokens is spent (120 so far)" in stopped.stderr
    assert endpoint.asked.total() == 4
    assert not (out / "made.jsonl").exists()
    estimated = run(config, out, "--dry-run").stdout
    assert "refine: 2 done, about 4 to do, 160 + 80 tokens (as 2 rows took)" in estimated
    assert run(config, out, "--budget", "9ktokens").returncode == 0
    assert endpoint.asked.total() == 12


@pytest.mark.jail
def test_an_interrupt_ends_a_run_and_loses_nothing(tmp_path: Path, endpoint: Endpoint) -> None:
    rows = 40
    config = prepared(tmp_path / "a", endpoint, rows=rows, in_flight=4)
    out = tmp_path / "out"
    with subprocess.Popen(
        command(config, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as running:
        asked_until(endpoint, 20, running)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"ends with the calls in flight" in said
    assert run(config, out).returncode == 0
    assert endpoint.asked.total() == 2 * rows


@pytest.mark.jail
@pytest.mark.slow
def test_a_second_interrupt_waits_for_no_call(tmp_path: Path) -> None:
    endpoint = Endpoint(latency_s=25)
    try:
        config = prepared(tmp_path / "a", endpoint, rows=4)
        with subprocess.Popen(
            command(config, tmp_path / "out"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as running:
            assert running.stderr is not None
            asked_until(endpoint, 1, running)
            running.send_signal(signal.SIGINT)
            while b"ends it now" not in running.stderr.readline():
                pass
            running.send_signal(signal.SIGINT)
            assert running.wait(timeout=20) == 130
    finally:
        endpoint.close()


def test_a_key_that_is_not_known_names_the_nearest(tmp_path: Path, endpoint: Endpoint) -> None:
    config = prepared(tmp_path / "a", endpoint, rows=1)
    text = config.read_text(encoding="utf-8").replace("turns =", "turn =")
    config.write_text(text, encoding="utf-8")
    done = run(config, tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("[[stage]] refine has no key 'turn'; nearest is 'turns'")


@pytest.mark.jail
@pytest.mark.slow
def test_no_row_is_lost_and_none_passed_on_when_a_tenth_of_the_calls_fails(tmp_path: Path) -> None:
    endpoint = Endpoint(share=0.1, late_s=3)
    try:
        rows = 60
        config = prepared(tmp_path / "a", endpoint, rows=rows, timeout_s=1.5)
        done = run(config, tmp_path / "out")
        assert done.returncode == 0, done.stderr
        assert {"429", "500", "late", "cut", "filter", "empty", "hang_up"} <= set(endpoint.faults)
        examples = list(read(Example, tmp_path / "out" / "made.jsonl"))
        ids = [each.query_ids[0] for each in examples if isinstance(each, Example)]
        assert ids == [Query(f"Question {n}").id for n in range(rows)]
        assert all(
            each.dialogue.turns[-1].results[0].stdout.text == f"{n + 1}\n"
            for n, each in enumerate(examples)
            if isinstance(each, Example)
        )
    finally:
        endpoint.close()


@pytest.mark.jail
def test_what_fails_for_good_is_a_row_with_its_class(tmp_path: Path) -> None:
    endpoint = Endpoint(share=0.5, most_faults=99, late_s=0.1)
    try:
        rows = 30
        config = prepared(tmp_path / "a", endpoint, rows=rows)
        done = run(config, tmp_path / "out")
        made = list(read(Example, tmp_path / "out" / "made.jsonl"))
        text = (tmp_path / "out" / "failed.jsonl").read_text(encoding="utf-8")
        failed = [json.loads(line) for line in text.splitlines()]
        assert len(made) + len(failed) == rows
        assert done.returncode == (1 if failed else 0)
        funnel = json.loads((tmp_path / "out" / "funnel.json").read_text(encoding="utf-8"))
        assert sum(funnel["stages"][0]["failed"].values()) == len(failed)
        assert {each["why"] for each in failed} <= {"http", "refused", "empty"}
        turns = [each.dialogue.turns for each in made if isinstance(each, Example)]
        assert all(each[-1].reply.strip() and not each[-1].failed for each in turns)
    finally:
        endpoint.close()
