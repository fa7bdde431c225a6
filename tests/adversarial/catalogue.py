"""All hostile programs in one list: `PYTHONPATH=tests python -m adversarial.catalogue` prints it.

Each class keeps its programs in a file of its own, with the tests that are its alone.
"""

from collections import Counter
from dataclasses import dataclass, replace

from adversarial import test_escape, test_exhaustion, test_interference, test_languages
from adversarial.hostile import HELD, LIMITS
from adversarial.judge import forgeries
from adversarial.test_stream_abuse import WRITERS

from codeloop.core.execution import ExecutionLimits, Status

ANY = tuple(Status)  # what it does to itself is its own affair: the next run tells
FAILED = tuple(status for status in Status if status is not Status.OK)


@dataclass(frozen=True)
class Hostile:
    """A program, what it attacks, and how its run may end."""

    kind: str
    name: str
    code: str
    statuses: tuple[Status, ...]
    language: str = "python"
    limits: ExecutionLimits = LIMITS


PROGRAMS = (
    *(
        Hostile("escape", name, f"{test_escape.PRELUDE}{code}\n{HELD}", (Status.OK,))
        for name, code in test_escape.ATTACKS.items()
    ),
    *(
        Hostile("exhaustion", name, bomb.program, bomb.statuses, limits=bomb.limits)
        for name, bomb in test_exhaustion.BOMBS.items()
    ),
    *(
        Hostile("interference", name, code, ANY, limits=replace(LIMITS, wall_s=1.5))
        for name, code in test_interference.MEDDLING.items()
    ),
    *(
        Hostile(
            "protocol",
            name,
            f"{test_interference.FIND_LINK}{code}\nimport sys; sys.exit(3)",
            FAILED,
        )
        for name, code in test_interference.FORGERIES.items()
    ),
    *(Hostile("output", name, code, (Status.OK,)) for name, (code, _) in WRITERS.items()),
    *(
        Hostile("languages", name, each.program, each.statuses, each.language, each.limits)
        for name, each in test_languages.ATTACKS.items()
    ),
)
FORGED = forgeries.FORGERIES  # wrong solutions that the judge must not pass, by name


def main() -> None:
    for each in PROGRAMS:
        ends = "any" if each.statuses is ANY else "not ok" if each.statuses is FAILED else None
        print(
            f"{each.kind:13} {each.language:11} {each.name:45} {ends or ', '.join(each.statuses)}"
        )
    for name in FORGED:
        print(f"{'verdict':13} {'python':11} {name:45} not passed")
    counts = Counter(each.kind for each in PROGRAMS) + Counter(verdict=len(FORGED))
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()), "=", counts.total())


if __name__ == "__main__":
    main()
