# /// script
# requires-python = ">=3.11"
# dependencies = ["inspect-ai==0.3.285"]
# ///
"""How many dialogues the engine of `codeloop eval` gets through, next to Inspect's.

    scripts/bench inspect_engine --json out.json

One mock model with one reply, in a process of its own for each engine, which take turns. `talk`:
two turns, nothing is executed. `execute`: one turn, and its code is run: by Inspect once in its
`local` sandbox, which isolates nothing; by codeloop in the full jail, once for visible tests and
once for those that decide. Both write their logs. Importing is not counted.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from usage import Meter, own_group_cpu_s

Json = dict[str, Any]

TARGETS = {"talk": 20.0, "execute": 8.0}
SAMPLES = {"talk": 500, "execute": 200}
CODE = "def f(x):\n    print(x)\n    return x\n"
REPLY = f"Here it is.\n\n```python\n{CODE}```\n"
AGAIN = "Is this right? Look at it once more."


def codeloop(kind: str, samples: int, folder: Path) -> Callable[[], int]:
    """Return what runs our engine; it gives the number of dialogues that ended as they should."""
    from contextlib import ExitStack  # noqa: PLC0415  each engine imports its own

    from codeloop.core.problem import CheckTests, Problem  # noqa: PLC0415
    from codeloop.evals.benchmarks import Benchmark  # noqa: PLC0415
    from codeloop.evals.run import Evaluation, open_run  # noqa: PLC0415
    from codeloop.evals.settings import FeedbackKind, Settings, Stop  # noqa: PLC0415
    from codeloop.judge.many import RigPool  # noqa: PLC0415
    from codeloop.judge.programs import rig_programs  # noqa: PLC0415
    from codeloop.models.scripted import ScriptedModel  # noqa: PLC0415
    from codeloop.sandbox import open_pool  # noqa: PLC0415

    executes = kind == "execute"
    tests = (CheckTests("assert f(1) == 1"),) if executes else ()
    language = "python" if executes else "none"  # in another one nothing has to load

    class Questions:
        """Problems that are made when they are asked for."""

        benchmark = Benchmark("mock", "", "", "", "", "", 0, "", "")
        ids = tuple(f"q{at}" for at in range(samples))

        def problem(self, name: str) -> Problem:
            return Problem(name, f"Write f. ({name})", tests, "f", visible=tests, language=language)

    settings = Settings("mock", "mock")
    if not executes:
        settings = Settings(
            "mock", "mock", feedback=FeedbackKind.EXECUTION, turns=2, stop=Stop.SELF
        )
    text = REPLY if executes else REPLY.replace("python", "none")

    def run() -> int:
        with ExitStack() as stack:
            rigs = []
            if executes:
                pool = stack.enter_context(open_pool(slots=2))
                rigs = [pool.open_rig(rig_programs()) for _ in range(2)]
            shared = stack.enter_context(RigPool(rigs.pop, len(rigs)))
            model = ScriptedModel(lambda _: text)
            questions: Any = Questions()
            evaluation = Evaluation(questions, model, shared, settings)
            log, done = open_run(folder, settings)
            with log:
                rows = list(evaluation.run(log, done, questions.ids, in_flight=8))
        good: list[Any] = [
            row for row in rows if isinstance(row, dict) and row["turns"][-1]["base"]
        ]
        return sum(len(row["turns"]) == settings.turns for row in good)

    return run


def inspect(kind: str, samples: int, folder: Path) -> Callable[[], int]:
    """Return what runs Inspect; it gives the number of samples that ended as they should."""
    from inspect_ai import Task  # noqa: PLC0415
    from inspect_ai import eval as evaluate  # noqa: PLC0415
    from inspect_ai.dataset import MemoryDataset, Sample  # noqa: PLC0415
    from inspect_ai.model import (  # noqa: PLC0415
        ChatMessageUser,
        ModelOutput,
        ModelUsage,
        get_model,
    )
    from inspect_ai.scorer import includes  # noqa: PLC0415
    from inspect_ai.solver import Generate, Solver, TaskState, solver  # noqa: PLC0415
    from inspect_ai.util import sandbox  # noqa: PLC0415

    def says() -> Any:
        while True:
            output = ModelOutput.from_content("mockllm/model", REPLY)
            output.usage = ModelUsage(input_tokens=10, output_tokens=20, total_tokens=30)
            yield output

    @solver  # type: ignore[untyped-decorator]  # only where the peer is not installed
    def talk() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            state = await generate(state)
            state.messages.append(ChatMessageUser(content=AGAIN))
            return await generate(state)

        return solve

    @solver  # type: ignore[untyped-decorator]  # only where the peer is not installed
    def execute() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            state = await generate(state)
            program = f"{CODE}\nassert f(1) == 1\n"
            result = await sandbox().exec([sys.executable, "-c", program])
            state.metadata["passed"] = result.success
            return state

        return solve

    questions = [Sample(input=f"Write f. (q{at})", target="def f") for at in range(samples)]
    task = Task(
        dataset=MemoryDataset(questions),
        solver=talk() if kind == "talk" else execute(),
        scorer=includes(),
        sandbox="local" if kind == "execute" else None,
    )
    model = get_model("mockllm/model", custom_outputs=says())

    def run() -> int:
        (log,) = evaluate(task, model=model, log_dir=str(folder), display="none", max_samples=8)
        return len(log.samples or ()) if log.status == "success" else 0

    return run


def measure(engine: str, kind: str, samples: int) -> Json:
    """Return the figures of one run in this process."""
    with tempfile.TemporaryDirectory() as folder:
        make = codeloop if engine == "codeloop" else inspect
        run = make(kind, samples, Path(folder))
        cpu_s, start = own_group_cpu_s(), time.perf_counter()
        done = run()
        return {
            "done": done,
            "cpu_s": own_group_cpu_s() - cpu_s,
            "wall_s": time.perf_counter() - start,
        }


def apart(engine: str, kind: str, samples: int) -> Json:
    """Return the figures of one run in a process of its own."""
    words = ["--engine", engine, "--kind", kind, "--samples", str(samples)]
    with Meter() as meter:
        command = meter.command([sys.executable, __file__, *words])
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: Json = json.loads(done.stdout.splitlines()[-1])
    if figures["done"] != samples:
        msg = f"{engine} {kind}: {figures['done']} of {samples} ended as they should"
        raise SystemExit(msg)
    return figures


def compare(kind: str, rounds: int) -> Json:
    """Return samples by processor second and by second of both, and the ratios."""
    samples = SAMPLES[kind]
    pairs = [
        (apart("codeloop", kind, samples), apart("inspect", kind, samples)) for _ in range(rounds)
    ]
    figures: Json = {"samples": samples, "rounds": rounds, "target": TARGETS[kind]}
    for at, engine in enumerate(("codeloop", "inspect")):
        for unit in ("cpu_s", "wall_s"):
            per = statistics.median(samples / pair[at][unit] for pair in pairs)
            figures[f"{engine}_per_{unit}"] = round(per, 1)
    for unit in ("cpu_s", "wall_s"):
        ratios = [other[unit] / own[unit] for own, other in pairs]
        figures[f"times_by_{unit}"] = round(statistics.median(ratios), 1)
    return figures


def main() -> None:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kind", choices=list(TARGETS))
    parser.add_argument("--engine", choices=["codeloop", "inspect"], help="this one alone, here")
    parser.add_argument("--samples", type=int, help="with --engine")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()
    if args.engine:
        kind = args.kind or "talk"
        print(json.dumps(measure(args.engine, kind, args.samples or SAMPLES[kind])))
        return
    figures = {}
    for kind in TARGETS:
        if args.kind in {None, kind}:
            figures[kind] = compare(kind, args.rounds)
            print(kind, json.dumps(figures[kind]), flush=True)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
