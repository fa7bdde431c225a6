"""`codeloop run`: answer one query, and exit."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codeloop.cli import bring, wiring
from codeloop.cli.terminal import clean
from codeloop.core.dialogue import Dialogue
from codeloop.core.errors import ConfigError
from codeloop.core.events import DialogueDone, EndReason, Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeloop.core.execution import WorkFile
    from codeloop.sandbox import SandboxSession

_EPILOG = """\
exit status:
  0  the model answered, and the last code that ran ended well
  1  it ended otherwise; the last line says why
  2  a flag, a setting or a file is wrong        3  the model or the sandbox failed
  130  interrupted

examples:
  codeloop run "Compute the first 20 primes and verify each one by trial division"
  codeloop run "Which month was the wettest?" --file weather.csv
  codeloop run "Plot its temperatures." --file weather.csv --out plots
  codeloop run "..." --base-url http://127.0.0.1:8000/v1 --model my-model --json
  echo "What is 2**100?" | codeloop run -
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "run",
        help="answer one query",
        description="Answer one query: write code, run it, refine it until it works.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(main=main)
    parser.add_argument("query", metavar="QUERY", help="what to do; - reads it from stdin")
    parser.add_argument(
        "--file",
        dest="files",
        metavar="F",
        action="append",
        default=[],
        type=wiring.existing_file,
        help="put a file into the work directory of the code; may be given again",
    )
    parser.add_argument("--save", metavar="FILE", type=Path, help="append the dialogue (JSONL)")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="save what the code made, files and figures, here"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, no progress")
    wiring.add_options(parser)


def main(args: argparse.Namespace) -> int:
    from codeloop.core import records
    from codeloop.loop.opening import ask

    dialogue = ask(_query(args.query), args.files)
    if args.out is not None:
        bring.empty_folder(args.out)
    done = _refine(args, dialogue)
    if args.save is not None:
        records.append(args.save, [done.dialogue])
    if args.json:
        print(_as_json(done))
    if done.reason is EndReason.INTERRUPTED:
        return 130
    return 0 if done.ended_well else 1


def _query(text: str) -> str:
    query = sys.stdin.read() if text == "-" else text
    if not query.strip():
        msg = "the query is empty"
        raise ConfigError(msg)
    return query


def _refine(args: argparse.Namespace, dialogue: Dialogue) -> DialogueDone:
    """Run the loop to its end, printing as it goes."""
    from codeloop.cli.view import View
    from codeloop.loop.critics import ExecutionCritic
    from codeloop.loop.refine import refine, to_the_end

    limits = wiring.limits(args)
    view = None if args.json else View()
    interactive = view is not None and sys.stdin.isatty()
    with (
        wiring.open_session(args, files=args.files, interactive=interactive) as session,
        wiring.open_model(args.model, args.base_url) as model,
    ):
        keyboard = wiring.Keyboard(session)
        before = session.list_files() if args.out else ()
        critics = [ExecutionCritic(on_success=args.explain)]
        events = refine(
            dialogue, model, session, critics, limits=limits, sampling=wiring.sampling(args)
        )

        def see(event: Event) -> None:
            if view is not None:
                view.show(event)
            keyboard.follow(event)

        with keyboard.watching():
            done = to_the_end(events, see)
            _bring(args.out, session, before, done.dialogue)
            return done


def _bring(
    folder: Path | None,
    session: "SandboxSession",
    before: "Sequence[WorkFile]",
    dialogue: Dialogue,
) -> None:
    """Save what the code has made, if that is wanted, and say so."""
    if folder is not None:
        results = [result for turn in dialogue.turns for result in turn.results]
        for line in bring.bring_all(session, before, results, folder):
            print(clean(line), file=sys.stderr)


def _as_json(done: DialogueDone) -> str:
    import json

    from codeloop.core import records

    return json.dumps(
        {
            "ok": done.ended_well,
            "reason": done.reason.value,
            "turns": len(done.dialogue.turns),
            "dialogue": json.loads(records.encode(done.dialogue)),
        },
        ensure_ascii=True,
    )
