"""`codeloop convert`: dialogues to notebooks and pages, and back."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli import wiring
from codeloop.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from codeloop.core.dialogue import Dialogue

_EPILOG = """\
IN is what `codeloop run --save` writes, a Jupyter notebook, or Code-Feedback as JSON Lines.
The ending of OUT says what is written:
  .ipynb   a Jupyter notebook, which runs again
  .py      a script in the percent format: what ran well, and the rest as comments
  .md      Markdown, with pictures in it
  .html    one page without any script
  .zip     all of these, and the dialogue's own record
  .jsonl   dialogues, a line each; with --form code-feedback as `id` and `messages`

examples:
  codeloop run "Plot a sine" --save chat.jsonl
  codeloop convert chat.jsonl chat.ipynb
  codeloop convert chat.ipynb chat.html
  codeloop convert Code-Feedback.jsonl third.ipynb --number 3
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "convert",
        help="dialogues to notebooks and pages, and back",
        description="Write dialogues in another form: notebook, script, page, lines.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("source", metavar="IN", type=wiring.existing_file)
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument("--form", choices=["code-feedback"], help="what a .jsonl is to hold")
    parser.add_argument(
        "--number",
        type=wiring.positive,
        metavar="N",
        help="which dialogue of IN, from 1 (default: its only one; for lines, all)",
    )


def main(args: argparse.Namespace) -> int:
    from codeloop.core.files import whole_file
    from codeloop.publishing.notebooks.forms import NotebookForm, exported, imported

    ending = args.out.suffix.lower().removeprefix(".")
    if args.form and ending != NotebookForm.RECORD:
        msg = f"--form {args.form} is written as .jsonl, not as {args.out.name}"
        raise ConfigError(msg)
    known = {form.value for form in NotebookForm} - {NotebookForm.CODE_FEEDBACK.value}
    if ending not in known:
        msg = f"{args.out}: no form ends so; there are: {', '.join(f'.{e}' for e in sorted(known))}"
        raise ConfigError(msg)
    form = NotebookForm(args.form or ending)
    try:
        data = args.source.read_bytes()
    except OSError as error:
        msg = f"{args.source}: {error.strerror}"
        raise DataError(msg) from error
    dialogues = _wanted(imported(data, name=str(args.source)), args)
    with whole_file(args.out) as file:
        file.writelines(exported(dialogue, form) for dialogue in dialogues)
    return 0


def _wanted(dialogues: "tuple[Dialogue, ...]", args: argparse.Namespace) -> "tuple[Dialogue, ...]":
    if args.number is not None:
        if args.number > len(dialogues):
            msg = f"{args.source}: holds {len(dialogues)} dialogues, not {args.number}"
            raise DataError(msg)
        return (dialogues[args.number - 1],)
    if len(dialogues) > 1 and args.out.suffix.lower() != ".jsonl":
        msg = f"{args.source}: holds {len(dialogues)} dialogues; say which with --number"
        raise ConfigError(msg)
    return dialogues
