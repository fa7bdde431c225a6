"""The README of a run: what was trained on what, what came of it, and how to use it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from codeloop.core.files import whole_file
from codeloop.train.config import RESOLVED
from codeloop.train.export.forms import Written
from codeloop.train.runs import RunFolder


def write_card(folder: Path, written: Sequence[Written] = ()) -> Path:
    """Write the README of a run's folder from what the run itself says; return its path.

    Raises:
        DataError: it cannot be written, or there is no run.
    """
    run = RunFolder(folder)
    config = yaml.safe_load((folder / RESOLVED).read_text(encoding="utf-8"))
    rows = list(run.logged())
    parts = [
        _head(run, config),
        *_losses(rows),
        *_solved(rows),
        *_files(written),
        _use(folder.resolve().name),
    ]
    path = folder / "README.md"
    with whole_file(path) as file:
        file.write(("\n\n".join(parts) + "\n").encode())
    return path


def _head(run: RunFolder, config: dict[str, Any]) -> str:
    facts = run.facts()
    what = "an adapter (LoRA)" if facts.adapter else "all weights"
    versions = ", ".join(f"{name} {each}" for name, each in config["resolved"]["versions"].items())
    data = "\n".join(f"- `{Path(each['path']).name}` ({each['split']})" for each in config["data"])
    return (
        f"# {run.path.resolve().name}\n\n"
        f"Trained by `codeloop train {facts.method.value}` from {facts.base}: {what}, on "
        f"{facts.rows} rows (content {facts.data_hash[:12]}), preset {config['preset']}, loss on "
        f"replies by the mask `{config['mask']}`, seed {config['seed']}. All settings: "
        f"`config.yaml`.\n\nThe licences of the base and of the data hold for what was made of "
        f"them.\n\n{data}\n\nVersions: {versions}."
    )


def _losses(rows: Sequence[dict[str, Any]]) -> list[str]:
    logged = [row for row in rows if "loss" in row]
    if not logged:
        return []
    columns = ["step", *(key for key in logged[0] if key == "loss" or key.startswith("loss_"))]
    picked = logged if len(logged) <= _ROWS else [logged[at] for at in _spread(len(logged))]
    return ["## Loss\n\n" + _table(columns, picked)]


def _solved(rows: Sequence[dict[str, Any]]) -> list[str]:
    tried = [row for row in rows if "solved_first" in row]
    if not tried:
        return []
    lines = [
        "| step | problems | solved on turn 1 | solved after feedback |",
        "|---|---|---|---|",
    ]
    for row in tried:
        cells = [f"{row['step']}", f"{row['solved_problems']:.0f}"]
        for key in ("solved_first", "solved_after"):
            low, high = row[f"{key}_low"], row[f"{key}_high"]
            cells.append(f"{row[key]:.1%} ({low:.1%} to {high:.1%})")
        lines.append("| " + " | ".join(cells) + " |")
    said = "## Held-out problems\n\nIn brackets: 95 % intervals (Wilson).\n\n"
    return [said + "\n".join(lines)]


def _files(written: Sequence[Written]) -> list[str]:
    checked = [each for each in written if each.fidelity is not None]
    if not checked:
        return []
    lines = [
        "| file | KL to the trained model (nats) | same likeliest token |",
        "|---|---|---|",
    ]
    for each in checked:
        for fidelity, note in ((each.fidelity, ""), (each.served, " on the base as it is")):
            if fidelity is not None:
                name = f"{each.path.name}{note}"
                lines.append(f"| {name} | {fidelity.kl:.1e} | {fidelity.top1:.1%} |")
    return ["## Files\n\n" + "\n".join(lines)]


def _use(name: str) -> str:
    return f"## Use\n\n```console\n$ codeloop chat --model {name}\n```"


_ROWS = 12


def _spread(count: int) -> list[int]:
    """Return so many places of a list, its first and last among them."""
    return sorted({round(at * (count - 1) / (_ROWS - 1)) for at in range(_ROWS)})


def _table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [_cell(row.get(name)) for name in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str("" if value is None else value)
