"""SandboxFusion's forms, so that trainers which speak them need no change.

Names, types and words follow github.com/bytedance/SandboxFusion at 469de08: `RunCodeRequest` and
its answer in sandbox/server/sandbox_api.py, `SubmitRequest` and its answer in
sandbox/datasets/types.py. Unlike there, a field of a wrong type is refused, not converted.
"""
