"""Says why a machine cannot isolate, and what its owner can do about it."""

import errno
import os
import sys
from pathlib import Path

from codeloop.core.errors import IsolationError

_MACHINES = ("x86_64", "aarch64")
_LINUX_NEEDED = (5, 12)

# What says that this is a container: files that engines make, and what is in the environment.
_CONTAINER_FILES = (
    Path("/.dockerenv"),
    Path("/run/.containerenv"),
    Path("/run/systemd/container"),
)
_CONTAINER_VARIABLES = ("container", "KUBERNETES_SERVICE_HOST")

_SWITCHES = (
    (
        Path("/proc/sys/user/max_user_namespaces"),
        "0",
        "they are switched off; as root: sysctl -w user.max_user_namespaces=15000",
    ),
    (
        Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        "1",
        (
            "AppArmor keeps them from ordinary users; as root: "
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        ),
    ),
    (
        Path("/proc/sys/kernel/unprivileged_userns_clone"),
        "0",
        "they are kept from ordinary users; as root: sysctl -w kernel.unprivileged_userns_clone=1",
    ),
)
_BY_ERROR = {
    errno.ENOSPC: "too many are in use; raise user.max_user_namespaces, or close sessions",
    errno.EINVAL: "this kernel was built without them (CONFIG_USER_NS)",
    errno.EPERM: "a container's seccomp profile probably forbids them; start it with "
    "--security-opt seccomp=unconfined (Docker), or seccompProfile: Unconfined (Kubernetes), "
    "on a machine that is yours",
}


def require_linux() -> None:
    """Check what needs no trial.

    Raises:
        IsolationError: not Linux, too old, or an unknown processor.
    """
    if sys.platform != "linux":
        msg = f"the jail needs Linux, this is {sys.platform}: run codeloop in a Linux machine or VM"
        raise IsolationError(msg)
    system = os.uname()
    if system.machine not in _MACHINES:
        msg = f"the jail knows {' and '.join(_MACHINES)}, this machine is {system.machine}"
        raise IsolationError(msg)
    release = system.release.split("-")[0].split(".")[:2]
    if all(part.isdigit() for part in release) and tuple(map(int, release)) < _LINUX_NEEDED:
        msg = f"the jail needs Linux 5.12 or newer, this is {system.release}"
        raise IsolationError(msg)


def require_container() -> None:
    """Check that there is a sign of a container around us.

    Raises:
        IsolationError: there is none.
    """
    if any(path.exists() for path in _CONTAINER_FILES):
        return
    if any(os.environ.get(name) for name in _CONTAINER_VARIABLES):
        return
    msg = (
        "isolation `container` counts on a container, and there is no sign of one here; if this is"
        " one, say which in the environment: container=NAME"
    )
    raise IsolationError(msg)


def explain(stage: str, code: int | None, error: str) -> str:
    """Return why the jail could not be built at a stage, and how to mend it."""
    if stage == "landlock":
        return (
            f"isolation `landlock` needs version 6 of Landlock, from Linux 6.12 on ({error});"
            " is it among the `lsm=` of the kernel's command line?"
        )
    if stage == "container":
        return (
            f"isolation `container` cannot be had here ({error}): use a kernel with Landlock, or"
            " start codeloop as root with a Python that every user can read"
        )
    if stage == "root":
        return f"the jail's private root could not be built: {error}"
    return f"user namespaces cannot be had here ({error}): {_reason(code)}"


def _reason(code: int | None) -> str:
    for path, value, reason in _SWITCHES:
        if _setting(path) == value:
            return reason
    return _BY_ERROR.get(code or 0, "the kernel gives no further reason")


def _setting(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None
