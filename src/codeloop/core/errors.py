"""Every exception that codeloop raises on purpose.

CodeloopError
├── ConfigError            a flag, a setting or a name that the user can mend
│   └── MissingExtraError  an optional part is not installed
├── DataError              a file that does not hold what it should; names file:line
├── ModelError             a model call failed for good (retries included)
│   ├── ContextOverflowError   the messages do not fit into the model's context
│   └── UnavailableError       busy, broken off or late: the same call may go well later
├── BudgetSpentError       what a run may cost is spent; it can go on with more
└── SandboxError           our sandbox broke; never the fault of the code that ran in it
    └── IsolationError     this machine cannot give the isolation that was asked for

What fails inside the sandbox is no exception: it is `ExecutionResult.status`.
Foreign errors are wrapped once, where they enter, with `raise ... from error`.
"""


class CodeloopError(Exception):
    """Root of the tree; its text is one line that a user can act on."""


class ConfigError(CodeloopError):
    """A flag, a setting or a name is wrong."""


class MissingExtraError(ConfigError):
    """An optional part is not installed; the text names the extra."""


class DataError(CodeloopError):
    """A file does not hold what it should."""


class ModelError(CodeloopError):
    """A model could not be reached or loaded, or its reply could not be had."""


class ContextOverflowError(ModelError):
    """The messages do not fit into the model's context."""


class UnavailableError(ModelError):
    """The endpoint is busy, broke off, or did not answer in time: the same call may go well later.

    `after_s` is how long the endpoint asks to wait, if it does; `too_many` says that it refused
    the call as one too many.
    """

    def __init__(self, text: str, after_s: float | None = None, *, too_many: bool = False) -> None:
        super().__init__(text)
        self.after_s = after_s
        self.too_many = too_many


class BudgetSpentError(CodeloopError):
    """What a run may cost is spent: no further call is made, and it can go on later."""


class SandboxError(CodeloopError):
    """The sandbox itself failed; says nothing about the code that was run."""


class IsolationError(SandboxError):
    """The isolation asked for is not to be had here; the text says why and how to mend it."""
