"""`codeloop train estimate`: what a run takes, before it is paid for."""

import argparse
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloop.cli import wiring
from codeloop.cli.train import starting
from codeloop.core.errors import ConfigError
from codeloop.core.records import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeloop.train.checking.report import Report
    from codeloop.train.config import TrainConfig
    from codeloop.train.estimate import Row, Work
    from codeloop.train.loading import Origin
    from codeloop.train.shapes import Shape
    from codeloop.train.tuning.probe import Probe

_EPILOG = """\
The tokens are counted from the files of the config. The share of its peak that a GPU reaches is
assumed, and the weak term: --probe trains five steps on this machine and says what they took.
Loading, saving, and trying held-out problems are left out.

examples:
  codeloop train estimate train.yaml --accelerator h100 --price 2.5
  codeloop train estimate train.yaml --as codellama-34b
  codeloop train estimate train.yaml --probe
"""


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from codeloop.train.estimate import ACCELERATORS
    from codeloop.train.shapes import PUBLISHED

    parser = verbs.add_parser(
        "estimate",
        help="say what a run takes: time, memory, cost",
        description="Say what a run takes on 1 to 64 GPUs: time, memory, cost, and which parallel "
        "plan fits.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("config", metavar="FILE", type=wiring.existing_file)
    parser.add_argument(
        "--accelerator", choices=list(ACCELERATORS), default="h100", help="default: h100"
    )
    parser.add_argument("--price", type=float, metavar="X", help="of a GPU for an hour")
    parser.add_argument(
        "--as",
        dest="published",
        choices=list(PUBLISHED),
        metavar="MODEL",
        help=f"for a model of this size, not the config's: {', '.join(PUBLISHED)}",
    )
    parser.add_argument("--probe", action="store_true", help="train five steps here and measure")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    starting.add_online(parser)


def main(args: argparse.Namespace) -> int:
    starting.need_extra()
    from codeloop.train.checking.report import check
    from codeloop.train.config import read_config
    from codeloop.train.estimate import ACCELERATORS, process_bytes, table
    from codeloop.train.loading import load_tokenizer
    from codeloop.train.shaping import cache_folder, shaping

    config = starting.fit(read_config(args.config))
    origin = starting.origin_of(config.model, online=args.online)
    shaped = shaping(config, load_tokenizer(origin))
    report = check(config, shaped, cache_folder(config), previews=0)
    shape, work = _shape(args, config, origin), _work(config, report)
    peak, memory = ACCELERATORS[args.accelerator]
    rows = table(shape, work, peak=peak, memory=memory, price=args.price)
    if not args.json:
        _show(args, shape, work, rows)
    if not args.probe:
        if args.json:
            print(json.dumps(_facts(shape, work, rows)))
        return 0
    if args.published:
        msg = "--probe trains the config's model: it cannot be asked for another with --as"
        raise ConfigError(msg)
    expected = process_bytes(
        shape, work, libraries=_resident_bytes(), autocast=bool(config.trl.get("bf16"))
    )
    measured = _probe(config, origin, report)
    if args.json:
        facts = to_json(measured) | {"hours": measured.hours(work.tokens)}
        facts |= {"expected_bytes": round(expected)}
        print(json.dumps(_facts(shape, work, rows) | {"probe": facts}))
    else:
        _show_probe(shape, work, measured, expected)
    return 0


def _resident_bytes() -> int:
    """Return the memory that this process has, before a model is loaded."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _shape(args: argparse.Namespace, config: "TrainConfig", origin: "Origin") -> "Shape":
    from codeloop.train.shapes import PUBLISHED, shape_of, with_adapter

    rank = int(config.peft.get("r", 8)) if config.peft is not None else None
    if args.published:
        shape = PUBLISHED[args.published]
        return shape if rank is None else with_adapter(shape, rank)
    if origin.path is None:
        msg = f"{origin.name} is not here, so its sizes are not known: name one with --as"
        raise ConfigError(msg)
    return shape_of(origin.path, rank=rank)


def _work(config: "TrainConfig", report: "Report") -> "Work":
    from codeloop.train.config import Split
    from codeloop.train.estimate import Work
    from codeloop.train.presets import Preset

    training = [each for each in report.shares if each.split is Split.TRAIN]
    rows = sum(each.epoch_rows for each in training)
    epochs = float(config.trl.get("num_train_epochs", 3))
    batch = int(config.trl.get("per_device_train_batch_size", 8))
    every = batch * int(config.trl.get("gradient_accumulation_steps", 1))
    sequences = rows
    if config.trl.get("packing"):
        filled = max(0.01, 1 - report.lengths.packed) * config.max_length
        sequences = math.ceil(report.epoch_tokens / filled)
    return Work(
        round(report.epoch_tokens * epochs),
        report.epoch_tokens / max(1, rows),
        config.max_length if config.trl.get("packing") else _longest(config, report),
        batch,
        math.ceil(sequences / every * epochs),
        config.preset is Preset.QLORA,
    )


def _longest(config: "TrainConfig", report: "Report") -> int:
    most = report.lengths.percentiles[-1][1] if report.lengths.percentiles else 1
    return min(config.max_length, most)


def _probe(config: "TrainConfig", origin: "Origin", report: "Report") -> "Probe":
    from codeloop.train.config import Split
    from codeloop.train.tuning.feeding import feed
    from codeloop.train.tuning.probe import probe
    from codeloop.train.tuning.sft import load_base

    report.refuse()
    return probe(config, load_base(config, origin), feed(config, report, Split.TRAIN))


def _facts(shape: "Shape", work: "Work", rows: "Sequence[Row]") -> dict[str, Any]:
    table = [to_json(row) | {"hours": None if math.isnan(row.hours) else row.hours} for row in rows]
    return {"shape": to_json(shape), "work": to_json(work), "table": table}


def _show(args: argparse.Namespace, shape: "Shape", work: "Work", rows: "Sequence[Row]") -> None:
    from rich.console import Console
    from rich.table import Table

    from codeloop.train.estimate import GIB, flops, utilisation

    console = Console(soft_wrap=True, highlight=False)
    console.print(
        f"{shape.parameters / 1e6:,.0f} M parameters, {shape.trained / 1e6:,.1f} M trained; "
        f"{work.tokens / 1e6:,.1f} M tokens in about {work.steps:,} steps; "
        f"{flops(shape, work):.2e} floating-point operations"
    )
    shown = Table(box=None, pad_edge=False)
    heads = (f"{args.accelerator} GPUs", "plan", "hours", "GiB each", "of peak", "cost")
    for at, head in enumerate(heads):
        shown.add_column(head, justify="left" if at == 1 else "right")
    for row in rows:
        fits = not math.isnan(row.hours)
        shown.add_row(
            str(row.gpus),
            row.plan.value,
            _time(row.hours) if fits else "-",
            f"{row.memory_bytes / GIB:.1f}",
            f"{utilisation(row.gpus):.0%}" if fits else "-",
            "-" if row.cost is None else f"{row.cost:,.2f}",
        )
    console.print(shown)


def _show_probe(shape: "Shape", work: "Work", measured: "Probe", expected: float) -> None:
    from codeloop.train.estimate import GIB, flops

    per_token = flops(shape, work) / max(1, work.tokens)
    print(
        f"this machine ({measured.device}): {measured.tokens / measured.wall_s:,.1f} tokens/s, "
        f"{measured.wall_s:.2f} s a step ({measured.cpu_s:.2f} s of processor), "
        f"{measured.flops(per_token) / 1e9:,.1f} GFLOP/s, peak {measured.memory_bytes / GIB:.2f} "
        f"GiB (by formula {expected / GIB:.2f}): {_time(measured.hours(work.tokens))} hours for "
        "the run"
    )


def _time(hours: float) -> str:
    return f"{hours:,.1f}" if hours >= 1 else f"{hours:.3f}"
