"""Measures how many verified dialogues an hour mutation makes on this machine; JSON out.

    scripts/bench mutation --data DIR

A sample of the training problems goes all the way: planned, tried, told, and run twice again. Wall
times count, with as many workers as said. There is no peer: nothing public makes such dialogues.
"""

import argparse
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from codeloop.cli.dataset.mutate import read_tasks
from codeloop.cli.dataset.sandboxes import open_ground
from codeloop.core.problem import Problem, Verdict
from codeloop.dataset.mutation.making import make_examples
from codeloop.dataset.mutation.planning import Settings
from codeloop.dataset.mutation.tasks import Task
from codeloop.dataset.mutation.trying import RUN_LIMITS, Trying
from codeloop.dataset.records import VerifiedStatus
from codeloop.dataset.verification import Means, verify_examples


def measure(data: Path, every: int, settings: Settings, args: argparse.Namespace) -> dict[str, Any]:
    """Return seconds and counts of making and of verifying every n-th problem's dialogues."""
    tasks = list(read_tasks(data))[::every]
    problems = {each.problem.id: each.problem for each in tasks if isinstance(each, Task)}
    with open_ground(args, sandboxes=2) as ground:

        def judged(problem: Problem, code: str, shown: bool) -> Verdict:
            return ground.rigs.judge(problem, code, tests=problem.visible if shown else None)

        trying = Trying(ground.rigs, ground.openers[0], identity=ground.identity)
        start = time.perf_counter()
        made = list(make_examples(tasks, settings, trying, threads=args.workers))
        making_s = time.perf_counter() - start
        examples = [example for each in made for example in each.examples]
        means = Means(ground.openers, judged, problems.get, lambda _: RUN_LIMITS)
        start = time.perf_counter()
        done = list(verify_examples(examples, means, threads=args.workers))
        verifying_s = time.perf_counter() - start
    verified = [each.verified for each in done if each.verified]
    kept = sum(each.status is VerifiedStatus.KEPT for each in verified)
    return {
        "problems": len(tasks),
        "dialogues": len(examples),
        "kept": kept,
        "reasons": dict(Counter(each.reason.value for each in verified)),
        "making_s": round(making_s, 2),
        "verifying_s": round(verifying_s, 2),
        "made_an_hour": round(3600 * len(examples) / making_s),
        "verified_an_hour": round(3600 * kept / (making_s + verifying_s)),
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("CODELOOP_DATA"))
    parser.add_argument("--every", type=int, default=20, help="use every n-th problem")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--memory-mb", type=int, default=1024)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    figures = measure(args.data, args.every, Settings(seed=1, of_each=4, tries=14), args)
    text = json.dumps(figures, indent=2)
    print(text)
    if args.json:
        args.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
