"""A node does not open where it would be a danger."""

import pytest

from codeloop.core.errors import ConfigError, IsolationError
from codeloop.core.execution import Isolation
from codeloop.sandbox import Probe, require_held
from codeloop.server.node.opening import Settings, open_service
from codeloop.server.node.service import listen


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "node.example"])
def test_without_a_token_it_is_for_this_machine_alone(host: str) -> None:
    with (
        pytest.raises(ConfigError, match="give the node a token"),
        open_service(Settings(1, 1, host=host)),
    ):
        pass


def test_an_address_that_is_taken_is_told() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=rf"cannot listen at 127\.0\.0\.1:{port}"),
            open_service(Settings(1, 1, port=port)),
        ):
            pass


def test_a_jail_that_does_not_hold_is_refused() -> None:
    require_held([Probe("forking without end", held=True)], Isolation.NAMESPACES)
    with pytest.raises(IsolationError, match=r"making new namespaces \(error: 1\)"):
        require_held(
            [
                Probe("forking without end", held=True),
                Probe("making new namespaces", held=False, detail="error: 1"),
            ],
            Isolation.NAMESPACES,
        )
