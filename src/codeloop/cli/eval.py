"""`codeloop eval`: measure a model on a benchmark, and say what came of it."""

import argparse
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloop.cli import benchmarking, eval_report, wiring
from codeloop.cli.benchmarking import Progress
from codeloop.core.errors import ConfigError

if TYPE_CHECKING:
    from codeloop.core.protocols import Model
    from codeloop.evals.prepared import Prepared
    from codeloop.evals.run import Evaluation
    from codeloop.evals.settings import Settings

_EPILOG = """\
in place of BENCHMARK:
  list             the benchmarks that are known by name
  pull NAME        bring a benchmark's file from where it is public (`all`: every one)
  report DIR       the page of a run; --html writes report.html too: every dialogue in one file
  compare A B...   runs on the same problems: each beside the first (interval, exact McNemar test,
                   Holm's correction), feedback beside its controls and beside sampling for
                   equal tokens
  published [DIR]  the published table, with one's own runs on top
  export DIR       --form samples (for `codeloop judge`), evalplus (its results) or inspect (a log)
                   as --out FILE

presets are OpenCodeInterpreter's own protocol. It shows the model the tests that measure it
(--visible all), and its page says so.

examples:
  codeloop eval humaneval+ --model qwen2.5-coder-0.5b
  codeloop eval mbpp+ --model m --base-url http://127.0.0.1:8000/v1 --feedback execution --turns 3
  codeloop eval humaneval --model m --preset paper-human --person big-model --out runs/paper
  codeloop eval compare runs/a runs/b
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "eval",
        help="measure a model on a benchmark",
        description="Measure a model on a benchmark, with feedback from turn to turn if asked.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("benchmark", metavar="BENCHMARK", help="a name, or a .jsonl of problems")
    parser.add_argument("paths", metavar="DIR", nargs="*", type=Path, help="runs, for these")
    run = parser.add_argument_group("run")
    run.add_argument("--out", metavar="DIR", type=Path, help="default: runs/BENCHMARK-SETTINGS")
    run.add_argument("--model", metavar="NAME", help="as for `codeloop run`")
    run.add_argument("--base-url", metavar="URL", help="an OpenAI-compatible endpoint")
    run.add_argument("--person", metavar="NAME", default="", help="the model that plays the human")
    run.add_argument("--person-url", metavar="URL", help="its endpoint")
    run.add_argument(
        "--feedback",
        choices=["none", "execution", "human", "oracle", "retry", "shuffled"],
        help="after a turn that fails the visible tests (default: none); the last two are controls",
    )
    run.add_argument("--turns", type=int, metavar="N", help="replies (default: 1; 2 with feedback)")
    run.add_argument("--samples", type=int, metavar="K", default=1, help="dialogues of a problem")
    run.add_argument(
        "--visible", choices=["examples", "base", "all"], help="tests that feedback may rest on"
    )
    run.add_argument(
        "--explain",
        action="store_true",
        help="show which values the code saw in the test that it fails, as LDB does",
    )
    run.add_argument("--stop", choices=["visible", "self", "oracle"], help="default: visible")
    run.add_argument(
        "--preset", choices=["paper-single", "paper-exec", "paper-human", "paper-oracle"]
    )
    run.add_argument("--temperature", type=float, default=0.0, help="default: 0, greedy")
    run.add_argument("--max-tokens", type=int, default=1024, help="of a reply (default: 1024)")
    run.add_argument("--seed", type=int, help="of the sampling")
    run.add_argument(
        "--until-code",
        action="store_true",
        help="a reply ends with its first whole code block: fewer tokens, no explanations",
    )
    run.add_argument(
        "--keep",
        metavar="FILE",
        type=Path,
        help="replies are kept there, and not asked for again, by other runs too",
    )
    run.add_argument("--only", metavar="ID", action="append", help="these problems alone")
    run.add_argument("--limit", type=int, metavar="N", help="the first N problems alone")
    run.add_argument("--in-flight", type=int, metavar="N", default=8, help="dialogues at once")
    run.add_argument("--json", action="store_true", help="print JSON")
    eval_report.add_options(parser)
    benchmarking.add_options(parser)


def main(args: argparse.Namespace) -> int:
    verb, least, most = _VERBS.get(args.benchmark, (_run, 0, 0))
    if not least <= len(args.paths) <= most:
        wanted = str(least) if least == most else f"{least} or more"
        msg = f"{args.benchmark}: takes {wanted} folders, not {len(args.paths)}"
        raise ConfigError(msg)
    return verb(args)


def _list(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from codeloop.evals.benchmarks import benchmarks

    data = benchmarking.data_folder(args.data)
    known = benchmarks()
    if args.json:
        print(json.dumps([asdict(each) for each in known], indent=2))
        return 0
    for each in known:
        here = "here" if (data / each.file).is_file() else "-"
        print(f"{each!s:26} {each.rows:5} rows  {each.licence:10}  {here:4}  {each.about}")
    return 0


def _pull(args: argparse.Namespace) -> int:
    from codeloop.cli import pulling

    (name,) = args.paths
    for line in pulling.pull(pulling.chosen(str(name)), benchmarking.data_folder(args.data)):
        print(line)
    return 0


def _run(args: argparse.Namespace) -> int:
    from codeloop.evals.benchmarks import benchmark
    from codeloop.evals.run import Evaluation

    chosen = benchmark(args.benchmark)
    with ExitStack() as stack:
        model = stack.enter_context(_open_model(args))
        settings = _settings(args, str(chosen), model.name)
        person = None
        if settings.person:
            person = stack.enter_context(wiring.open_model(settings.person, args.person_url))
        pool = stack.enter_context(benchmarking.open_rigs(args))
        prepared = benchmarking.open_prepared(chosen, args, pool)
        folder = args.out or Path("runs") / f"{chosen}-{settings.digest}"
        evaluation = Evaluation(prepared, model, pool, settings, person=person)
        failures = _follow(evaluation, _chosen(args, prepared), folder, settings, args.in_flight)
    print(eval_report.write_pages(folder, settings, as_json=args.json), end="")
    if not args.json:
        print(f"\n{folder}: settings, records, report.md, report.html")
    return 3 if failures else 0


@contextmanager
def _open_model(args: argparse.Namespace) -> "Iterator[Model]":
    """Yield the model under test, with what the flags put around it."""
    from codeloop.models.wrapping import KeepingModel, UntilCodeModel

    in_flight = max(1, args.in_flight)
    with wiring.open_model(args.model, args.base_url, parallel=in_flight) as opened:
        model = UntilCodeModel(opened) if args.until_code else opened
        yield KeepingModel(model, args.keep) if args.keep else model


def _settings(args: argparse.Namespace, benchmark: str, model: str) -> "Settings":
    from codeloop.evals.settings import PRESETS, FeedbackKind, Settings, Stop, Visible, checked

    preset = PRESETS.get(args.preset or "", {})
    given: dict[str, Any] = dict(preset)
    kinds = {"feedback": FeedbackKind, "visible": Visible, "stop": Stop, "turns": int}
    for name, kind in kinds.items():
        value = getattr(args, name)
        if value is not None and name in preset and kind(value) != preset[name]:
            msg = f"--{name} {value} is not what --preset {args.preset} says"
            raise ConfigError(msg)
        if value is not None:
            given[name] = kind(value)
    if "turns" not in given and given.get("feedback", FeedbackKind.NONE) is not FeedbackKind.NONE:
        given["turns"] = 2
    return checked(
        Settings(
            benchmark,
            model,
            samples=args.samples,
            temperature=args.temperature,
            max_tokens=args.max_tokens,
            seed=args.seed,
            person=args.person,
            explain=args.explain,
            **given,
        )
    )


def _chosen(args: argparse.Namespace, prepared: "Prepared") -> list[str]:
    unknown = [name for name in args.only or () if name not in prepared]
    if unknown:
        msg = f"{prepared.benchmark} has no problem {unknown[0]!r}"
        raise ConfigError(msg)
    names = [name for name in prepared.ids if not args.only or name in args.only]
    return names[: args.limit]


def _follow(
    evaluation: "Evaluation", names: list[str], folder: Path, settings: "Settings", in_flight: int
) -> int:
    """Run to the end; return how many dialogues our side broke off."""
    from codeloop.evals.reports.figures import outcome
    from codeloop.evals.run import Unfinished, open_run

    log, records = open_run(folder, settings)
    failures = 0
    with log:
        progress = Progress("dialogues:", len(names) * settings.samples)
        for record in evaluation.run(log, records, names, in_flight=max(1, in_flight)):
            if isinstance(record, Unfinished):
                failures += 1
                name = f"{record.problem_id} sample {record.sample}"
                benchmarking.warn(f"{name} was broken off: {record.error}")
                continue
            records.append(record)
            good = [row for row in records if not row.get("error")]
            passed = sum(outcome(row, "plus", settings.stop) for row in good)
            progress.show(len(records), f"{passed} of {len(good)} solved")
        progress.clear()
    return failures


_MANY = 1000
_VERBS = {  # in place of a benchmark: what is done, with how many folders or names
    "list": (_list, 0, 0),
    "pull": (_pull, 1, 1),
    "report": (eval_report.report, 1, 1),
    "compare": (eval_report.compare, 2, _MANY),
    "published": (eval_report.published, 0, _MANY),
    "export": (eval_report.export, 1, 1),
}
