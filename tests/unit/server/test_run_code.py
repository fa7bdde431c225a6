"""Requests as trainers send them to SandboxFusion, and what they read in the answers."""

import base64
import threading
from typing import Any

import pytest
from fakes import ok
from served import Serve

from codeloop.core.errors import DataError, SandboxError
from codeloop.core.execution import MIB, ExecutionResult, Output, Status
from codeloop.sandbox import Program

# What verl sends (verl/utils/reward_score/sandbox_fusion/utils.py, call_sandbox_api).
VERL: dict[str, Any] = {
    "compile_timeout": 10,
    "run_timeout": 10,
    "code": "print(input())",
    "stdin": "1 2",
    "language": "python",
    "files": {},
    "fetch_files": [],
}
# What SandboxFusion's own SDK sends: all fields, most of them by default.
SDK: dict[str, Any] = {
    "compile_timeout": 10.0,
    "run_timeout": 2.5,
    "memory_limit_MB": 256,
    "code": "int main() {}",
    "stdin": None,
    "language": "cpp",
    "files": {"a.txt": base64.b64encode(b"\x00\xff").decode(), "b.txt": None},
    "fetch_files": [],
}


def test_what_verl_sends_is_run(serve: Serve) -> None:
    served = serve()
    served.pool.results[VERL["code"]] = ExecutionResult(
        Status.OK, Output("3\n", 2), exit_code=0, wall_s=0.25
    )
    answer = served.post("/run_code", VERL)
    assert answer.status == 200
    assert answer.json() == {
        "status": "Success",
        "message": "",
        "compile_result": None,
        "run_result": {
            "status": "Finished",
            "execution_time": 0.25,
            "return_code": 0,
            "stdout": "3\n",
            "stderr": "",
        },
        "executor_pod_name": None,
        "files": {},
    }
    (program,) = served.pool.ran
    assert (program.language, program.stdin) == ("python", b"1 2")
    assert (program.limits.wall_s, program.limits.cpu_s) == (10.0, 10.0)


def test_what_the_sdk_sends_is_run(serve: Serve) -> None:
    served = serve()
    answer = served.post("/run_code", SDK).json()
    assert answer["status"] == "Success"
    assert answer["compile_result"]["return_code"] == 0
    (program,) = served.pool.ran
    assert (program.language, program.stdin) == ("cpp", b"")
    assert program.files == (("a.txt", b"\x00\xff"),)
    assert program.limits.wall_s == 2.5
    assert program.limits.memory_bytes == 256 * MIB


@pytest.mark.parametrize(
    ("result", "status", "run_status", "return_code"),
    [
        (ExecutionResult(Status.ERROR, exit_code=3), "Failed", "Finished", 3),
        (ExecutionResult(Status.ERROR), "Failed", "Finished", 1),
        (ExecutionResult(Status.COMPILE_ERROR, exit_code=1), "Failed", "Finished", 1),
        (ExecutionResult(Status.SIGNAL, signal=11), "Failed", "Finished", -11),
        (ExecutionResult(Status.MEMORY_LIMIT), "Failed", "Finished", -9),
        (ExecutionResult(Status.MEMORY_LIMIT, exit_code=1), "Failed", "Finished", 1),
        (ExecutionResult(Status.OUTPUT_LIMIT, exit_code=0), "Failed", "Finished", -9),
        (ExecutionResult(Status.PROCESS_LIMIT), "Failed", "Finished", -9),
        (ExecutionResult(Status.DISK_LIMIT), "Failed", "Finished", -9),
        (ExecutionResult(Status.WALL_LIMIT, signal=9), "Failed", "TimeLimitExceeded", None),
        (ExecutionResult(Status.CPU_LIMIT, signal=9), "Failed", "TimeLimitExceeded", None),
    ],
)
def test_every_end_has_its_words(
    serve: Serve, result: ExecutionResult, status: str, run_status: str, return_code: int | None
) -> None:
    served = serve()
    served.pool.results[VERL["code"]] = result
    answer = served.post("/run_code", VERL).json()
    assert answer["status"] == status
    assert answer["message"] == result.status.value
    assert answer["compile_result"] is None
    assert answer["run_result"]["status"] == run_status
    assert answer["run_result"]["return_code"] == return_code


def test_what_does_not_compile_has_no_run(serve: Serve) -> None:
    served = serve()
    served.pool.results[SDK["code"]] = ExecutionResult(
        Status.COMPILE_ERROR, stderr=Output("main.cpp:1: error", 17), exit_code=1
    )
    answer = served.post("/run_code", SDK).json()
    assert answer["status"] == "Failed"
    assert answer["run_result"] is None
    assert answer["compile_result"]["return_code"] == 1
    assert answer["compile_result"]["stderr"] == "main.cpp:1: error"


def test_what_our_sandbox_failed_is_no_fault_of_the_program(serve: Serve) -> None:
    served = serve()
    served.pool.errors[VERL["code"]] = SandboxError("the zygote died")
    answer = served.post("/run_code", VERL)
    assert answer.status == 200
    assert answer.json()["status"] == "SandboxError"
    assert answer.json()["message"] == "the zygote died"
    assert answer.json()["run_result"] is None


def test_a_language_that_is_not_here_is_no_fault_of_the_program(serve: Serve) -> None:
    served = serve()
    served.pool.results["x"] = ExecutionResult(
        Status.UNSUPPORTED, stderr=Output("lua: not run here", 17)
    )
    answer = served.post("/run_code", {"code": "x", "language": "lua"}).json()
    assert (answer["status"], answer["message"]) == ("SandboxError", "lua: not run here")


def test_half_a_surrogate_pair_does_no_harm(serve: Serve) -> None:
    served = serve()
    served.pool.results["x"] = ok("\ud800")
    body = b'{"language": "python", "code": "x", "stdin": "\\udfff"}'
    assert served.post("/run_code", body).json()["run_result"]["stdout"] == "\ud800"


@pytest.mark.parametrize(
    "change",
    [
        {"code": None},
        {"code": 1},
        {"language": "brainfuck"},
        {"language": None},
        {"stdin": 5},
        {"files": []},
        {"files": {"a": 1}},
        {"files": {"a": "not base64!"}},
        {"fetch_files": ["a"]},
        {"run_timeout": 0},
        {"run_timeout": -1},
        {"run_timeout": 1e9},
        {"run_timeout": "10"},
        {"run_timeout": True},
        {"memory_limit_MB": 10**9},
    ],
)
def test_a_request_with_a_fault_is_refused(serve: Serve, change: dict[str, Any]) -> None:
    served = serve()
    answer = served.post("/run_code", VERL | change)
    assert answer.status == 422
    assert isinstance(answer.json()["detail"], str)
    assert not served.pool.ran


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"[" * 50_000, b'{"code":'])
def test_a_body_that_is_no_object_is_refused(serve: Serve, body: bytes) -> None:
    assert serve().post("/run_code", body).status == 422


def test_a_file_without_a_proper_name_is_refused(serve: Serve) -> None:
    served = serve()
    served.pool.errors[VERL["code"]] = DataError("'../a' leads out of the work directory")
    assert served.post("/run_code", VERL).status == 422


def test_a_full_node_answers_what_verl_asks_again_after(serve: Serve) -> None:
    served = serve(is_open=False, slots=1, room=1)
    threads = [threading.Thread(target=served.post, args=("/run_code", VERL)) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert served.pool.begun.acquire(timeout=60)
    while not served.node.backlog.waiting:
        pass
    answer = served.post("/run_code", VERL)
    assert answer.status == 504
    assert "Retry-After" in answer.headers
    served.pool.gate.set()
    for thread in threads:
        thread.join()


def test_a_node_that_leaves_hands_back_what_has_not_begun(serve: Serve) -> None:
    served = serve(is_open=False, slots=1)
    statuses: list[int] = []

    def post() -> None:
        statuses.append(served.post("/run_code", VERL).status)

    threads = [threading.Thread(target=post) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert served.pool.begun.acquire(timeout=60)
    while not served.node.backlog.waiting:
        pass
    stopper = threading.Thread(target=served.service.stop)
    stopper.start()
    while 504 not in statuses:
        pass
    served.pool.gate.set()
    for thread in (*threads, stopper):
        thread.join()
    assert sorted(statuses) == [200, 504]


def test_a_program_is_handed_on_as_it_is(serve: Serve) -> None:
    served = serve()
    served.post("/run_code", {"code": "\u00e9\r\n", "language": "R"})
    assert served.pool.ran[0] == Program("\u00e9\r\n", "r", limits=served.pool.ran[0].limits)
