"""A long proof: many hostile runs of all kinds, after which nothing of them may be left.

`scripts/prove-sandbox --runs 10000` prints a table and one JSON object; the exit status is 1 if a
run ended as it should not, if an honest run in between was not clean, or if anything is left.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adversarial.catalogue import FORGED, PROGRAMS, Hostile
from adversarial.hostile import LIMITS, alive, family, last, open_descriptors
from adversarial.test_catalogue import CLEAN, HONEST
from polyglot import ALWAYS

from codeloop.core.execution import Status, TrialLimits
from codeloop.core.problem import FunctionTests, Problem
from codeloop.judge.judging import judge
from codeloop.judge.programs import rig_programs
from codeloop.sandbox import Sandbox, find_languages, open_sandbox
from codeloop.sandbox.isolation import cgroups

SHARES = {  # of a thousand runs
    "escape": 200,
    "interference": 200,
    "protocol": 150,
    "output": 100,
    "exhaustion": 100,
    "languages": 50,
    "verdict": 200,
}
COMPILED = {"c", "cpp", "java", "rust", "go", "typescript"}  # seconds for each: the tests run them
HONEST_EVERY = 10
SAMPLES = 50  # of our memory, over the whole proof
PROBLEM = Problem(
    "p",
    "",
    (FunctionTests(((3,), (10,), (-4,)), (122, 381, -137)),),
    "f",
    limits=TrialLimits(cpu_s=4.0, wall_s=20.0, step_cpu_s=1.0, step_wall_s=4.0),
)


@dataclass
class Proof:
    """What came of it."""

    runs: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    by_status: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)
    rss_bytes: list[tuple[int, int]] = field(default_factory=list)  # after how many runs
    seconds: float = 0.0

    @property
    def held(self) -> bool:
        return not self.surprises and not any(self.left.values())

    def slope(self) -> float:
        """Return the growth of our memory in bytes a run, over the second half: least squares."""
        points = self.rss_bytes[len(self.rss_bytes) // 2 :]
        if len(points) < 2:
            return 0.0
        mean_x = sum(x for x, _ in points) / len(points)
        mean_y = sum(y for _, y in points) / len(points)
        spread = sum((x - mean_x) ** 2 for x, _ in points)
        return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread

    def as_json(self) -> dict[str, Any]:
        return {
            "held": self.held,
            "runs": self.runs,
            "by_kind": self.by_kind,
            "by_status": self.by_status,
            "surprises": self.surprises,
            "left": self.left,
            "rss_first_bytes": self.rss_bytes[0][1],
            "rss_last_bytes": self.rss_bytes[-1][1],
            "rss_slope_bytes_a_run": round(self.slope(), 1),
            "seconds": round(self.seconds, 1),
        }


def prove(runs: int, seed: int = 7, tell: Callable[[str], None] = lambda _: None) -> Proof:
    """Run so many hostile programs, chosen by chance, in one sandbox and one rig."""
    proof = Proof()
    started = time.monotonic()
    with open_sandbox():  # what is made once is made now
        pass
    before = _present()
    with open_sandbox() as sandbox:
        _run_all(sandbox, proof, _plan(runs, seed), tell)
        there = family(os.getpid())
        ours = {pid: start for pid, start in there.items() if str(pid) not in before["processes"]}
    proof.left = {name: sorted(now - before[name]) for name, now in _present().items()}
    proof.left["processes"] = [str(pid) for pid in alive(ours)]
    proof.seconds = time.monotonic() - started
    return proof


def _plan(runs: int, seed: int) -> list[Hostile | str]:
    """Choose: a program, or the name of a wrong solution."""
    chance = random.Random(seed)
    here = ({*find_languages()} | ALWAYS) - COMPILED
    by_kind: dict[str, list[Hostile | str]] = {"verdict": list(FORGED)}
    for each in PROGRAMS:
        if each.language in here:
            by_kind.setdefault(each.kind, []).append(each)
    kinds = chance.choices([*SHARES], [*SHARES.values()], k=runs)
    return [chance.choice(by_kind[kind]) for kind in kinds]


def _run_all(
    sandbox: Sandbox, proof: Proof, plan: list[Hostile | str], tell: Callable[[str], None]
) -> None:
    rig = sandbox.open_rig(rig_programs(), limits=LIMITS)
    session = sandbox.open_session(stateful=False, limits=LIMITS)
    every = max(1, len(plan) // SAMPLES)
    for at, hostile in enumerate(plan):
        if at % every == 0:
            proof.rss_bytes.append((at, _rss_bytes()))
            tell(f"{at} of {len(plan)}")
        proof.runs += 1
        if isinstance(hostile, str):
            proof.by_kind["verdict"] += 1
            verdict = judge(PROBLEM, FORGED[hostile], rig)
            proof.by_status["passed" if verdict.passed else "not passed"] += 1
            if verdict.passed:
                proof.surprises.append(f"{at}: verdict: {hostile}: passed")
            continue
        proof.by_kind[hostile.kind] += 1
        result = last(session.run(hostile.code, language=hostile.language, limits=hostile.limits))
        proof.by_status[result.status.value] += 1
        if result.status not in _allowed(hostile):
            proof.surprises.append(f"{at}: {hostile.kind}: {hostile.name}: {result.status}")
        if at % HONEST_EVERY == 0:
            after = last(session.run(HONEST))
            if after.stdout.text != CLEAN:
                proof.surprises.append(f"{at}: after {hostile.name}: {after}")
    proof.rss_bytes.append((len(plan), _rss_bytes()))
    session.close()
    rig.close()


def _allowed(hostile: Hostile) -> set[Status]:
    """Return how a run may end where other work keeps the processor from it."""
    if Status.CPU_LIMIT in hostile.statuses:
        return {*hostile.statuses, Status.WALL_LIMIT}
    return {*hostile.statuses}


def _present() -> dict[str, set[str]]:
    """Return what there is of each kind of thing that a run could leave."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    temporary = Path(tempfile.gettempdir()).glob(f"codeloop-jail-{os.getpid()}-*")  # ours alone
    groups = cgroups.find()
    made = [
        path
        for base in {groups.memory, groups.pids}
        if groups.tier is not cgroups.Tier.SAMPLING
        for path in base.glob(f"codeloop-{os.getpid()}-*")
    ]
    return {
        "mounts": {line.split()[4] for line in mounts},
        "descriptors": {f"number {at}" for at in range(open_descriptors())},
        "files": {str(path) for path in temporary},
        "groups": {str(path) for path in made},
        "sockets": {name for name in _descriptors() if name.startswith("socket:")},
        "processes": {f"{pid}" for pid in family(os.getpid())},
    }


def _descriptors() -> list[str]:
    names = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            names.append(str(path.readlink()))
        except OSError:  # that of this very look
            continue
    return names


def _rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    parser = argparse.ArgumentParser(description="Prove that hostile runs leave nothing behind.")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the JSON object here too")
    args = parser.parse_args()
    proof = prove(args.runs, args.seed, lambda text: print(text, file=sys.stderr))
    record = proof.as_json()
    for name, counts in (("kind", proof.by_kind), ("ended", proof.by_status)):
        for value, count in counts.most_common():
            print(f"{name:8} {value:20} {count:6}")
    for name, things in proof.left.items():
        print(f"left     {name:20} {len(things):6} {', '.join(things[:3])}")
    print(f"memory   {record['rss_slope_bytes_a_run']} bytes a run")
    text = json.dumps(record)
    print(text)
    if args.json:
        args.json.write_text(text + "\n", encoding="utf-8")
    return 0 if proof.held else 1


if __name__ == "__main__":
    sys.exit(main())
