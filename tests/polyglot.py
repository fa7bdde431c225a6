"""What the tests of languages share: which of them are here, and who may be missing."""

import pytest

from codeloop.core.execution import MIB, ExecutionLimits, ExecutionResult
from codeloop.sandbox import Sandbox, find_languages, install_hint
from codeloop.sandbox.toolchain import LODASH

ALWAYS = {"python", "sql", "bash", "perl"}  # whose tools every machine has that runs the tests
ROOMY = ExecutionLimits(cpu_s=20.0, wall_s=60.0, memory_bytes=512 * MIB, processes=16)


def need(language: str) -> None:
    """Skip the test if a language's tools are missing here, unless every machine has them."""
    if language not in ALWAYS and language not in find_languages():
        pytest.skip(install_hint(language))


def need_lodash() -> None:
    """Skip the test if the package of JavaScript is missing here that MBXP's tests import."""
    if not LODASH.exists():
        pytest.skip("the tests of MBXP JavaScript need: apt-get install node-lodash")


def run_in(
    sandbox: Sandbox,
    language: str,
    code: str,
    *,
    stdin: bytes = b"",
    limits: ExecutionLimits = ROOMY,
) -> ExecutionResult:
    """Run a program in a one-shot session of its own."""
    need(language)
    session = sandbox.open_session(stateful=False, limits=limits)
    try:
        *_, result = session.run(code, language=language, stdin=stdin)
    finally:
        session.close()
    assert isinstance(result, ExecutionResult)
    return result
