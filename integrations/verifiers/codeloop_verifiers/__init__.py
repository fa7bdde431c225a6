"""Codeloop's loop as an environment of verifiers: `vf-eval codeloop-verifiers ...`."""

from codeloop_verifiers.environment import LoopEnv
from codeloop_verifiers.problems import Problems

__all__ = ["LoopEnv", "Problems"]
