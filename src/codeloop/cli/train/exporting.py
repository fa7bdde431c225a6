"""What `train sft` and `train export` share: files, checked before they are named."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli.train import starting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeloop.train.export.forms import Written
    from codeloop.train.loading import Loaded

FORMS = ("served", "merged", "f16", "q8_0")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what is written."""
    parser.add_argument(
        "--export",
        metavar="FORM",
        action="append",
        choices=FORMS,
        help="served: what chat needs, an adapter GGUF or a whole one (default); merged: "
        "safetensors for vLLM and others; f16, q8_0: whole GGUF files; may be given again",
    )
    parser.add_argument(
        "--no-check",
        dest="check",
        action="store_false",
        help="do not compare what was written with what was trained, by the serving engine",
    )


def export(run: Path, loaded: "Loaded", forms: "Sequence[str]", *, check: bool) -> None:
    """Write the forms into a run's folder, and the card; see that each says what was trained."""
    from codeloop.train.export.card import write_card
    from codeloop.train.export.forms import Form, write

    written = []
    for form in forms:
        written.append(write(run, loaded, Form(form), starting.engine if check else None))
        print(f"{written[-1].path}{_said(written[-1])}")
    write_card(run, written)


def _said(written: "Written") -> str:
    parts = []
    for fidelity, where in ((written.fidelity, ""), (written.served, " on the base as it is")):
        if fidelity is not None:
            same = f"likeliest token the same at {fidelity.top1:.1%}"
            parts.append(f"KL {fidelity.kl:.1e}{where}, {same}")
    return f" ({'; '.join(parts)})" if parts else ""
