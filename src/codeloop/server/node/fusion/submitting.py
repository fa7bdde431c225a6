"""`POST /submit`: a completion and a problem's tests, as SandboxFusion's data sets give them."""

import json
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException

from codeloop.core.problem import CheckTests, ScriptTests, StdioCase, StdioTests, Tests
from codeloop.server.node.fusion.extracting import find_code, function_body, without_entry
from codeloop.server.node.fusion.fields import take, take_files, take_seconds
from codeloop.server.node.fusion.running import LANGUAGES

_REGISTERED = {"code_contests": "CommonOJDataset", "humaneval_python": "HumanEvalDataset"}
_TAKEN_APART = frozenset({"java", "go"})  # where a solution and its tests do not simply join
_INSERT = "#<INSERT>"
_SHOWN_CHARS = 1000
_DEFAULT_S = 20.0


@dataclass(frozen=True, slots=True)
class Submission:
    """A solution, and tests of which each is tried by itself; `shown` says what a test is."""

    id: int | str
    code: str
    solution: str  # the code with what the problem puts around it
    language: str  # SandboxFusion's name
    tests: tuple[Tests, ...]
    shown: tuple[dict[str, Any] | None, ...] = (None,)
    entry_point: str = ""
    files: tuple[tuple[str, bytes], ...] = ()
    seconds: float = _DEFAULT_S
    try_all: bool = False  # go on after a test that failed


def parse_submission(form: dict[str, Any]) -> Submission:
    """Return what a request wants to have judged.

    Raises:
        HTTPException: a field does not fit, or the kind of data set is not known here.
    """
    name, config = take(form, "dataset", str), take(form, "config", dict)
    kind = _REGISTERED.get(name) or take(config, "dataset_type", str, "")
    row = config.get("provided_data")
    if not isinstance(row, dict):
        raise HTTPException(400, "config.provided_data should be the problem: there is no store")
    if config.get("custom_extract_logic") is not None:
        raise HTTPException(400, "config.custom_extract_logic: code is run in the jails alone")
    id_ = form.get("id")
    if type(id_) not in {int, str}:
        raise HTTPException(422, "id should be a number or a text")
    completion = take(form, "completion", str)
    seconds = take_seconds(config, "run_timeout", _DEFAULT_S)
    if kind == "CommonOJDataset":
        return _stdio(id_, completion, config, row, seconds)
    if kind.startswith("AutoEval"):
        return _script(id_, completion, config, row, seconds)
    if kind == "HumanEvalDataset":
        return _function(id_, completion, config, row, seconds)
    raise HTTPException(400, f"no eval class found for dataset {name}")


def _stdio(
    id_: Any, completion: str, config: dict[str, Any], row: dict[str, Any], seconds: float
) -> Submission:
    language = _language(take(config, "language", str))
    extra = take(config, "extra", dict, {})
    code = find_code(completion, LANGUAGES[language])
    cases = [_case(each) for each in _loaded(row, "test", list)]
    shown_chars = None if extra.get("return_full_case") else _SHOWN_CHARS
    return Submission(
        id_,
        code,
        code,
        language,
        tuple(StdioTests((case,), tolerant=True) for case in cases),
        tuple(
            {
                "input": {"stdin": case.stdin[:shown_chars]},
                "output": {"stdout": case.stdout[:shown_chars]},
            }
            for case in cases
        ),
        seconds=seconds,
        try_all=bool(extra.get("run_all_cases")),
    )


def _script(
    id_: Any, completion: str, config: dict[str, Any], row: dict[str, Any], seconds: float
) -> Submission:
    labels, test = _loaded(row, "labels", dict), _loaded(row, "test", dict)
    written = take(labels, "programming_language", str)
    if written in _TAKEN_APART:
        raise HTTPException(400, f"test code in {written} is not put together here")
    language = _language(take(labels, "execution_language", str, written))
    code = without_entry(find_code(completion, LANGUAGES.get(written, written)), written)
    source = take(test, "code", str)
    extra = take(config, "extra", dict, {})
    given = repr(code) if extra.get("repr_code") else code
    whole = source.replace(_INSERT, given) if _INSERT in source else f"{given}\n{source}"
    asset = _loaded(test, "asset", dict) if test.get("asset") else {}
    files = take_files({"asset": asset}, "asset")
    return Submission(id_, code, whole, language, (ScriptTests(""),), files=files, seconds=seconds)


def _function(
    id_: Any, completion: str, config: dict[str, Any], row: dict[str, Any], seconds: float
) -> Submission:
    prompt = take(row, "prompt", str)
    if take(config, "extra", dict, {}).get("is_freeform"):
        code = find_code(completion, "python")
        head, _, _ = prompt.partition("\ndef ")  # the imports and helpers that it gives
        solution = f"{head}\n{code}"
    else:
        code = function_body(completion)
        solution = prompt + code
    tests = CheckTests(take(row, "test", str), setup=prompt + "    pass\n")
    name = take(row, "entry_point", str)
    return Submission(id_, code, solution, "python", (tests,), entry_point=name, seconds=seconds)


def _case(value: object) -> StdioCase:
    case = value if isinstance(value, dict) else {}
    given, wanted = take(case, "input", dict), take(case, "output", dict)
    return StdioCase(take(given, "stdin", str, ""), take(wanted, "stdout", str))


def _language(name: str) -> str:
    if name not in LANGUAGES:
        raise HTTPException(400, f"language: {name!r:.100} is not run here")
    return name


def _loaded(row: dict[str, Any], name: str, kind: type[Any]) -> Any:
    """Return a field that may be there as JSON in a text."""
    value = row.get(name)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise HTTPException(422, f"{name}: not JSON: {error}") from error
    return take({name: value}, name, kind)
