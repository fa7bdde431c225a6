"""`codeloop train dpo` and `kto`: train a model to prefer repaired replies to failed ones."""

import argparse

from codeloop.cli.train import running, starting

_EPILOG = """\
A file of `data` has a pair a line, as `codeloop dataset export --form pairs` writes them. `trl`
takes the keys of TRL's DPOConfig or KTOConfig.

example:
  codeloop train {name} {name}.yaml
"""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for name, what in (("dpo", "by pairs"), ("kto", "by good and bad replies")):
        parser = commands.add_parser(
            name,
            help=f"train a model to prefer repaired replies, {what}",
            description=f"Train a model to prefer repaired replies to failed ones, {what}.",
            epilog=_EPILOG.format(name=name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.set_defaults(main=main, method=name)
        running.add_options(parser)


def main(args: argparse.Namespace) -> int:
    config = running.read(args)
    from codeloop.train.runs import Method
    from codeloop.train.tuning.preference import prefer

    origin = starting.origin_of(config.model, online=args.online)
    return running.finish(args, prefer(config, origin, Method(args.method), resume=not args.anew))
