"""`codeloop dataset store`: what a store holds; remove what is of no use; write it out."""

import argparse
import json

from codeloop.cli import wiring
from codeloop.core.errors import ConfigError


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser("store", help="look into the store of a run")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    action = actions.add_parser("stats", help="how much there is of each model, sandbox, stage")
    action.set_defaults(main=_stats)
    _add_file(action)
    action.add_argument("--json", action="store_true", help="print JSON")
    action = actions.add_parser("gc", help="remove all entries of an owner that `stats` names")
    action.set_defaults(main=_gc)
    _add_file(action)
    _add_table(action)
    action.add_argument("--owner", metavar="NAME", action="append", required=True)
    action = actions.add_parser("export", help="write a table as JSON lines")
    action.set_defaults(main=_export)
    _add_file(action)
    _add_table(action)


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=wiring.existing_file, help="store.db")


def _add_table(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--table", choices=["calls", "runs", "rows"], required=True)


def _stats(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from codeloop.dataset.store import Store

    with Store(args.file) as store:
        held = store.held()
    if args.json:
        print(json.dumps([asdict(each) for each in held], indent=2))
        return 0
    for each in held:
        tokens = f", {each.prompt_tokens} + {each.completion_tokens} tokens"
        shown = tokens if each.prompt_tokens or each.completion_tokens else ""
        print(f"{each.table}: {each.owner}: {each.entries}, {each.kept_bytes} bytes{shown}")
    return 0


def _gc(args: argparse.Namespace) -> int:
    from codeloop.dataset.store import Store, Table

    table = Table(args.table)
    with Store(args.file) as store:
        owners = {each.owner for each in store.held() if each.table is table}
        unknown = [name for name in args.owner if name not in owners]
        if unknown:
            msg = f"{args.file}: {table} has nothing of {unknown[0]!r}"
            raise ConfigError(msg)
        print(f"{store.remove(table, args.owner)} entries removed")
    return 0


def _export(args: argparse.Namespace) -> int:
    from codeloop.dataset.store import Store, Table

    with Store(args.file) as store:
        for each in store.entries(Table(args.table)):
            print(json.dumps({"key": each.key, "owner": each.owner, "value": each.value}))
    return 0
