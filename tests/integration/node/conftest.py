"""Nodes in processes of their own, killed when a test is done with them."""

from collections.abc import Iterator

import pytest
from node_process import NodeProcess, StartNode, start_process


@pytest.fixture
def start_node() -> Iterator[StartNode]:
    started: list[NodeProcess] = []

    def start(*options: str) -> NodeProcess:
        started.append(start_process(*options))
        return started[-1]

    yield start
    for node in started:
        node.process.kill()
        node.process.wait()
        assert node.process.stdout is not None
        node.process.stdout.close()
