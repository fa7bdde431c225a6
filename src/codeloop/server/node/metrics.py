"""What a node counts, and how Prometheus reads it (text format 0.0.4)."""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Counter:
    """Counts events, apart for each value of one label."""

    def __init__(self, name: str, text: str, label: str, values: Sequence[str]) -> None:
        self._head = _head(name, text, "counter")
        self._name = name
        self._label = label
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(values, 0)

    def add(self, value: str, by: int = 1) -> None:
        with self._lock:
            self._counts[value] += by

    def lines(self) -> Iterator[str]:
        yield from self._head
        for value, count in self._counts.items():
            yield f'{self._name}{{{self._label}="{value}"}} {count}'


class Histogram:
    """Sorts durations in seconds into buckets."""

    def __init__(self, name: str, text: str) -> None:
        self._head = _head(name, text, "histogram")
        self._name = name
        self._lock = threading.Lock()
        self._counts = [0] * (len(_BUCKETS_S) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        with self._lock:
            self._counts[bisect_left(_BUCKETS_S, seconds)] += 1
            self._sum += seconds

    def lines(self) -> Iterator[str]:
        with self._lock:
            counts, total = list(self._counts), self._sum
        yield from self._head
        below = 0
        for edge, count in zip((*map(str, _BUCKETS_S), "+Inf"), counts, strict=True):
            below += count
            yield f'{self._name}_bucket{{le="{edge}"}} {below}'
        yield f"{self._name}_sum {total:.6f}"
        yield f"{self._name}_count {below}"


class Metrics:
    """All that a node counts."""

    def __init__(self, statuses: Sequence[str]) -> None:
        self.runs = Counter("codeloop_node_runs_total", "Runs by their status.", "status", statuses)
        self.broken = Counter(
            "codeloop_node_broken_total", "Runs that our sandbox failed.", "form", FORMS
        )
        self.refused = Counter(
            "codeloop_node_refused_total", "Requests refused, by reason.", "reason", REASONS
        )
        self.repeated = Counter(
            "codeloop_node_repeated_total", "Orders answered from an earlier run.", "form", ("own",)
        )
        self.run_s = Histogram("codeloop_node_run_seconds", "How long runs took on the clock.")
        self.wait_s = Histogram("codeloop_node_wait_seconds", "How long work waited for a slot.")

    def page(self, gauges: dict[str, int]) -> str:
        """Return all counts as text; `gauges` are what is so at the moment."""
        lines: list[str] = []
        for name, value in gauges.items():
            full = f"codeloop_node_{name}"
            lines += [*_head(full, f"{name.capitalize()} now.", "gauge"), f"{full} {value}"]
        for each in (
            *(self.runs, self.broken, self.refused, self.repeated),
            *(self.run_s, self.wait_s),
        ):
            lines += each.lines()
        return "\n".join(lines) + "\n"


FORMS = ("own", "run_code", "submit")
REASONS = ("full", "draining", "token", "host", "origin", "type", "size", "form")


def _head(name: str, text: str, kind: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
