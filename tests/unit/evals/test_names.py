"""Benchmarks are found by their names; a wrong name is answered with the nearest."""

import pytest

from codeloop.core.errors import ConfigError
from codeloop.evals.benchmarks import benchmark, benchmarks

NAMES = sorted(
    {name for each in benchmarks() for name in (each.name, str(each), each.also) if name}
)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_found_and_a_slip_is_mended(name: str) -> None:
    assert name in {benchmark(name).name, str(benchmark(name)), benchmark(name).also}
    for slip in (name[:-1], name.replace("e", "ee", 1), name.upper()):
        if slip not in NAMES:
            with pytest.raises(
                ConfigError, match=r"did you mean \S+\? \(see `codeloop eval list`\)"
            ):
                benchmark(slip)


@pytest.mark.parametrize("name", ["", "@", "gpt", "/etc/passwd"])
def test_what_is_like_no_name_is_sent_to_the_list(name: str) -> None:
    with pytest.raises(ConfigError, match="see `codeloop eval list`"):
        benchmark(name)
