"""`codeloop dataset mutate`: dialogues about planted bugs, without any model."""

import argparse
import json
import tomllib
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloop.cli import benchmarking, wiring
from codeloop.cli.dataset import against
from codeloop.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from codeloop.dataset.mutation.making import Made
    from codeloop.dataset.mutation.planning import Settings
    from codeloop.dataset.mutation.tasks import Task, Unfit
    from codeloop.dataset.records import Example
    from codeloop.judge.many import RigPool

FILES = {
    "leetcode": "leetcodedataset/LeetCodeDataset-v0.2.0-train.jsonl.gz",
    "mbpp": "mbpp/mbpp.jsonl.gz",
}

_EPILOG = """\
The problems are the training parts of LeetCodeDataset and of MBPP (601 to 974), without those that
give a benchmark away by their words, their code, or what it does when it is run. MBPP's are short:
for a small model, take them alone. The same settings make the same file. Beside FILE,
FILE.report.json counts each kind of fault.

example:
  codeloop dataset mutate --config configs/mutation.toml --out mutation.jsonl
  codeloop dataset verify mutation.jsonl --out main.jsonl --rest rest.jsonl
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "mutate",
        help="make dialogues about planted bugs, without a model",
        description="Plant bugs in right solutions, try them for their true failure, and make "
        "dialogues in which they are mended.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("--out", metavar="FILE", type=Path, required=True)
    parser.add_argument(
        "--config", metavar="FILE", type=wiring.existing_file, help="settings, in TOML"
    )
    parser.add_argument("--seed", type=int, help="in place of the settings' own")
    parser.add_argument("--of-each", type=wiring.positive, metavar="N", help="likewise")
    parser.add_argument(
        "--from", dest="sets", action="append", choices=[*FILES], help="one set alone"
    )
    parser.add_argument("--limit", type=wiring.positive, metavar="N", help="of problems")
    against.add_option(parser)
    parser.add_argument(
        "--leaking", action="store_true", help="use problems that leak all the same"
    )
    benchmarking.add_options(parser)


def main(args: argparse.Namespace) -> int:
    from codeloop.cli.dataset.sandboxes import open_ground
    from codeloop.dataset.mutation.making import make_examples
    from codeloop.dataset.mutation.trying import Trying
    from codeloop.dataset.records import write

    settings = _settings(args)
    given = list(islice(read_tasks(benchmarking.data_folder(args.data), args.sets), args.limit))
    made: list[Made] = []
    with open_ground(args) as ground:
        tasks = iter(given) if args.leaking else _clean(given, args, ground.rigs)
        trying = Trying(ground.rigs, ground.openers[0], identity=ground.identity)
        each = make_examples(tasks, settings, trying, threads=args.workers)
        steps = benchmarking.followed(each, "problems", len(given))
        count = write(args.out, _kept(steps, made))
    report = _report(made, settings)
    path = args.out.with_name(f"{args.out.name}.report.json")
    path.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    used = sum(bool(one.examples) for one in made)
    print(f"{args.out}: {count} dialogues from {used} of {len(given)} problems")
    return 0


def read_tasks(data: Path, sets: "Collection[str] | None" = None) -> "Iterator[Task | Unfit]":
    """Yield the tasks of the training parts: of these sets, or of both."""
    from codeloop.dataset.mutation.tasks import leetcode_tasks, mbpp_tasks
    from codeloop.dataset.sources.files import read_rows

    ways = {"leetcode": leetcode_tasks, "mbpp": mbpp_tasks}
    wanted = [name for name in FILES if not sets or name in sets]
    for name in wanted:
        if not (data / FILES[name]).is_file():
            msg = f"{data / FILES[name]}: no such file; `--data` or CODELOOP_DATA names the folder"
            raise ConfigError(msg)
    for name in wanted:
        yield from ways[name](read_rows(data / FILES[name]))


def _clean(
    tasks: "list[Task | Unfit]", args: argparse.Namespace, rigs: "RigPool"
) -> "Iterator[Task | Unfit]":
    """Yield the tasks, those that leak as unfit."""
    from codeloop.dataset.decontamination.leaks import Decontamination
    from codeloop.dataset.mutation.tasks import Unfit, as_query

    wanted = Decontamination(list(against.problems(args, rigs)), pool=rigs)
    fit = [each for each in tasks if not isinstance(each, Unfit)]
    looked = wanted.look(map(as_query, fit), threads=args.workers)
    steps = benchmarking.followed(looked, "problems looked at for leaks", len(fit))
    found = {task.problem.id: leaks for task, (_, leaks) in zip(fit, steps, strict=True)}
    for each in tasks:
        if isinstance(each, Unfit) or not found[each.problem.id]:
            yield each
        else:
            leak = found[each.problem.id][0]
            yield Unfit(each.problem.id, f"gives away a problem ({leak.level})")


def _kept(steps: "Iterator[Made]", made: "list[Made]") -> "Iterator[Example]":
    for one in steps:
        made.append(one)
        yield from one.examples


def _settings(args: argparse.Namespace) -> "Settings":
    from codeloop.dataset.mutation.planning import Settings

    table: dict[str, Any] = {}
    if args.config is not None:
        try:
            table = tomllib.loads(args.config.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            msg = f"{args.config}: {error}"
            raise ConfigError(msg) from error
    table |= {"seed": args.seed} if args.seed is not None else {}
    table |= {"of_each": args.of_each} if args.of_each is not None else {}
    known = {field.name: type(field.default) for field in fields(Settings)}
    for name, value in table.items():
        kind = known.get(name)
        if kind is None or isinstance(value, bool) or not isinstance(value, int | kind):
            msg = f"{args.config}: {name!r} is no setting, or of the wrong type"
            raise ConfigError(msg)
    return Settings(**table)


def _report(made: "list[Made]", settings: "Settings") -> dict[str, Any]:
    """Return what became of problems and of kinds, as plain JSON values."""
    from collections import Counter

    from codeloop.core.records import to_json
    from codeloop.dataset.mutation.making import count_kinds

    attempts = [attempt for one in made for attempt in one.attempts]
    return {
        "settings": to_json(settings),
        "problems": len(made),
        "used": sum(bool(one.examples) for one in made),
        "dialogues": sum(len(one.examples) for one in made),
        "left_out": dict(Counter(one.why for one in made if one.why)),
        "manners": dict(Counter(a.manner for a in attempts if a.outcome == "kept")),
        "outcomes": dict(Counter(a.outcome for a in attempts)),
        "kinds": {
            name: {"tried": counts.tried, **counts.outcomes, "failures": counts.failures}
            for name, counts in sorted(count_kinds(attempts).items())
        },
    }
