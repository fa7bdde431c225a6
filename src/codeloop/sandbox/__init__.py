"""Runs untrusted code in a jail of namespaces, seccomp and limits, or not at all.

    with open_sandbox() as sandbox:
        session = sandbox.open_session(stateful=True)
        for event in session.run("print(6 * 7)"):
            ...

On our side: `Sandbox` owns a `Zygote`, which forks a `Slot` for each `SandboxSession`; a `Run`
waits for one run's `Guest`. On the jail's side: see `codeloop.sandbox.jail`.
"""

from codeloop.sandbox.languages import (
    BUILT_IN,
    ENDINGS,
    NAMES,
    find_languages,
    install_hint,
    version_of,
)
from codeloop.sandbox.pool import Pool, Program, open_pool
from codeloop.sandbox.probes import Probe, require_held, self_test
from codeloop.sandbox.sandbox import Sandbox, check_isolation, open_sandbox
from codeloop.sandbox.session import SandboxSession
from codeloop.sandbox.stateful.installs import InstallPolicy
from codeloop.sandbox.toolchain import prepare_fonts, prepare_toolchain

__all__ = [
    "BUILT_IN",
    "ENDINGS",
    "NAMES",
    "InstallPolicy",
    "Pool",
    "Probe",
    "Program",
    "Sandbox",
    "SandboxSession",
    "check_isolation",
    "find_languages",
    "install_hint",
    "open_pool",
    "open_sandbox",
    "prepare_fonts",
    "prepare_toolchain",
    "require_held",
    "self_test",
    "version_of",
]
