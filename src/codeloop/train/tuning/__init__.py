"""Runs: what a trainer is fed, what is watched, and the methods, each thin over one of TRL."""

from huggingface_hub import constants

# TRL tells its makers of each trainer that is made; nothing leaves this machine unasked.
constants.HF_HUB_DISABLE_TELEMETRY = True
