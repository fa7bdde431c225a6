"""A run in the forms that other programs read: samples, evalplus's results, Inspect's log."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any

from codeloop.core import records
from codeloop.core.dialogue import Dialogue, Finish, Turn, plain_messages
from codeloop.core.errors import ConfigError, DataError
from codeloop.evals.reports.figures import passes, sets_of, stop_turn
from codeloop.evals.reports.published import family
from codeloop.evals.rows import Row
from codeloop.evals.settings import Settings
from codeloop.loop.prompts import render

Json = dict[str, Any]


class Form(StrEnum):
    """A form of a run."""

    SAMPLES = "samples"  # JSON Lines of solutions, for `codeloop judge` and evalplus
    EVALPLUS = "evalplus"  # its eval_results.json
    INSPECT = "inspect"  # a log of Inspect


def exported(
    form: Form, settings: Settings, rows: Sequence[Row], created: datetime, version: str
) -> bytes:
    """Return a run in a form, as the bytes of a file; `version` is codeloop's.

    What UTF-8 cannot hold (lone surrogates) becomes `?`.

    Raises:
        ConfigError: the form has no place for this benchmark.
        DataError: a record holds no dialogue.
    """
    match form:
        case Form.SAMPLES:
            text = "".join(_line(sample) for sample in samples(settings, rows))
        case Form.EVALPLUS:
            text = _line(evalplus_results(settings, rows, created))
        case Form.INSPECT:
            text = _line(inspect_log(settings, rows, created, version))
    return text.encode("utf-8", "replace")


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def samples(settings: Settings, rows: Iterable[Row]) -> list[Json]:
    """Return the solution that each dialogue ended with; those without a reply have none."""
    return [
        {"task_id": row["problem"], "solution": _last(settings, row)["code"]}
        for row in rows
        if not row.get("error")
    ]


def evalplus_results(settings: Settings, rows: Sequence[Row], created: datetime) -> Json:
    """Return what evalplus writes as `*_eval_results.json` (version 0.3.1), without failed inputs.

    Raises:
        ConfigError: the benchmark is none of evalplus's.
    """
    if not family(settings.benchmark):
        msg = f"evalplus has no results of {settings.benchmark}: HumanEval and MBPP alone"
        raise ConfigError(msg)
    found: dict[str, list[Json]] = {}
    for row in rows:
        if row.get("error"):
            continue
        turn = _last(settings, row)
        plus = None if turn["plus"] is None else _status(passes(turn, "plus"))
        result = {
            "task_id": row["problem"],
            "solution": turn["code"],
            "base_status": _status(passes(turn, "base")),
            "plus_status": plus,
            "base_fail_tests": [],
            "plus_fail_tests": [],
        }
        found.setdefault(row["problem"], []).append(result)
    date = created.strftime("%Y-%m-%d %H:%M")
    return {"date": date, "hash": settings.benchmark, "eval": found}


def _status(passed: bool) -> str:
    return "pass" if passed else "fail"


def _last(settings: Settings, row: Row) -> Row:
    turn: Row = row["turns"][stop_turn(row["turns"], settings.stop)]
    return turn


def inspect_log(settings: Settings, rows: Sequence[Row], created: datetime, version: str) -> Json:
    """Return a log of Inspect (format 2): a sample for each dialogue, a score for each test set.

    Raises:
        DataError: a record holds no dialogue.
    """
    time = created.isoformat()
    names = list(dict.fromkeys(row["problem"] for row in rows))
    good = [row for row in rows if not row.get("error")]
    usage = _usage(
        sum(row["prompt_tokens"] for row in good), sum(row["completion_tokens"] for row in good)
    )
    sampling = {"temperature": settings.temperature, "max_tokens": settings.max_tokens}
    task, _, task_version = settings.benchmark.partition("@")
    spec = {
        "eval_id": settings.digest,
        "run_id": settings.digest,
        "task_id": settings.digest,
        "created": time,
        "task": task,
        "task_version": task_version,
        "task_args": {key: value for key, value in asdict(settings).items() if value is not None},
        "dataset": {
            "name": settings.benchmark,
            "samples": len(names),
            "sample_ids": names,
            "shuffled": False,
        },
        "model": settings.model,
        "config": {"epochs": settings.samples},
        "packages": {"codeloop": version},
        "metadata": {"leaking": settings.leaks},
    }
    return {
        "version": 2,
        "status": "success",
        "eval": spec,
        "plan": {"name": "codeloop", "steps": [], "config": sampling},
        "results": _results(settings, rows, good),
        "stats": {
            "started_at": time,
            "completed_at": time,
            "model_usage": {settings.model: usage},
        },
        "samples": [_sample(settings, row) for row in rows],
    }


def _results(settings: Settings, rows: Sequence[Row], good: Sequence[Row]) -> Json:
    scores = []
    for name in sets_of(rows):
        rate = sum(passes(_last(settings, row), name) for row in good) / max(1, len(good))
        error = math.sqrt(rate * (1 - rate) / max(1, len(good)))
        metrics = {
            key: {"name": key, "value": value}
            for key, value in (("accuracy", rate), ("stderr", error))
        }
        scores.append({"name": name, "scorer": name, "metrics": metrics})
    return {"total_samples": len(rows), "completed_samples": len(good), "scores": scores}


def _sample(settings: Settings, row: Row) -> Json:
    """Return a dialogue as a sample; its score is that of the turn at which it stops."""
    sample: Json = {"id": row["problem"], "epoch": row["sample"] + 1, "target": ""}
    if row.get("error"):
        text = row["error"]
        error = {"message": text, "traceback": text, "traceback_ansi": text}
        return sample | {"input": "", "error": error}
    try:
        dialogue = records.from_json(Dialogue, row["dialogue"])
    except ValueError as error:
        msg = f"the record of {row['problem']} holds no dialogue: {error}"
        raise DataError(msg) from error
    usage = _usage(row["prompt_tokens"], row["completion_tokens"])
    turn = _last(settings, row)
    kept = ("rule", "visible", "base", "plus", "reason", "forgeable", "tokens", "code", "why")
    return sample | {
        "input": plain_messages(dialogue.opening),
        "messages": plain_messages(render(dialogue)),
        "output": _output(settings, dialogue.turns[-1], usage),
        "scores": {
            name: {
                "value": "C" if passes(turn, name) else "I",
                "answer": turn["code"],
                "explanation": turn["reason"],
            }
            for name in ("base", "plus")
            if name == "base" or turn["plus"] is not None
        },
        "metadata": {
            "ended": row["reason"],
            "leaks": row["leaks"],
            "turns": [{key: each[key] for key in kept if key in each} for each in row["turns"]],
        },
        "model_usage": {settings.model: usage},
        "total_time": row["wall_s"],
        "working_time": row["model_s"],
    }


def _output(settings: Settings, turn: Turn, usage: Mapping[str, int]) -> Json:
    message = {"role": "assistant", "content": turn.reply, "source": "generate"}
    choice = {"message": message, "stop_reason": _stop_reason(turn.finish)}
    return {"model": settings.model, "choices": [choice], "usage": usage}


def _stop_reason(finish: Finish) -> str:
    """Return what Inspect calls the end of a reply."""
    match finish:
        case Finish.STOP:
            return "stop"
        case Finish.LENGTH:
            return "max_tokens"
        case Finish.FILTER:
            return "content_filter"
        case Finish.REPEATING | Finish.CANCELLED:
            return "unknown"


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {
        "input_tokens": prompt,
        "output_tokens": completion,
        "total_tokens": prompt + completion,
    }
