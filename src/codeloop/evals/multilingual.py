"""Problems in many languages: HumanEval-X, HumanEvalPack's faults to mend, and MBXP."""

import re

from codeloop.core.codeblocks import normalise_language
from codeloop.core.problem import CheckTests, Problem, ProgramTests, Tests
from codeloop.evals.rows import Row, text_of

# What the benchmark's own runners put before a program, or in the place of what they install.
_CPP_START = "".join(
    f"#include <{name}>\n"
    for name in (
        *("optional", "cassert", "stdlib.h", "algorithm", "math.h", "stdio.h", "vector", "string"),
        *("climits", "cstring", "iostream"),
    )
)
STARTS = {
    "cpp": _CPP_START + "using namespace std;\n",
    "javascript": "console.assert = (holds) => "
    "{ if (!holds) throw new Error('assertion failed'); };\n",
}
# In place of the package testify, which would be compiled again for every program.
GO_ASSERT = """
type asserts struct{ t *testing.T }

func (asserts) New(t *testing.T) asserts { return asserts{t} }

func (a asserts) Equal(want, have interface{}, _ ...interface{}) {
	if !reflected.DeepEqual(want, have) {
		a.t.Errorf("want %v, have %v", want, have)
	}
}

func (a asserts) Nil(have interface{}) {
	if have != nil && !reflected.ValueOf(have).IsNil() {
		a.t.Errorf("want nil, have %v", have)
	}
}

func (a asserts) InDelta(want, have, delta float64) {
	if !(want-have <= delta && have-want <= delta) {
		a.t.Errorf("want %v, have %v", want, have)
	}
}

var assert asserts
"""
_GO_PATH = re.compile(r'"([\w/.]+)"')
_RUST_CRATES = ("fn main(){}", "use rand::Rng;", "use regex::Regex;", "use md5;")


def humaneval_x(row: Row, where: str) -> Problem:
    """Return a problem of HumanEval-X: a solution is the whole function with its imports.

    Raises:
        DataError: a field is missing.
    """
    return _problem(row, where, text_of(row, "prompt", where))


def humaneval_fix(row: Row, where: str) -> Problem:
    """Return a problem of HumanEvalPack: a wrong function that is to be mended.

    Raises:
        DataError: a field is missing.
    """
    wrong = text_of(row, "declaration", where) + text_of(row, "buggy_solution", where)
    imports = str(row.get("import", ""))
    return _problem(row, where, imports + wrong)


def mbxp(row: Row, where: str) -> Problem:
    """Return a problem of MBXP; some have no reference.

    Raises:
        DataError: a field is missing.
    """
    language = normalise_language(text_of(row, "language", where))
    prompt, test = text_of(row, "prompt", where), text_of(row, "test", where)
    known = row.get("canonical_solution")
    tests: Tests = (
        CheckTests(test) if language == "python" else ProgramTests(language, after=f"\n{test}")
    )
    return Problem(
        text_of(row, "task_id", where),
        prompt,
        (tests,),
        text_of(row, "entry_point", where),
        reference=prompt + known if known else "",
        language=language,
    )


def _problem(row: Row, where: str, prompt: str) -> Problem:
    number = text_of(row, "task_id", where)
    language = normalise_language(number.partition("/")[0])
    example = row.get("example_test") or "None"
    test = text_of(row, "test", where)
    whole = text_of(row, "prompt", where)
    head = text_of(row, "declaration", where) if language == "rust" else whole
    return Problem(
        number,
        prompt,
        (_tests(row, language, test, whole),),
        _entry_point(row, language, where),
        visible=(_tests(row, language, example, whole),) if example.strip() != "None" else (),
        reference=head + text_of(row, "canonical_solution", where),
        language=language,
    )


def _entry_point(row: Row, language: str, where: str) -> str:
    if "entry_point" in row or language != "python":
        return str(row.get("entry_point", ""))
    return str(re.findall(r"^def (\w+)\(", text_of(row, "declaration", where), re.MULTILINE)[-1])


def _tests(row: Row, language: str, test: str, prompt: str) -> Tests:
    match language:
        case "python":
            return CheckTests(test, f"{prompt}    pass\n")
        case "go":
            return _go_tests(row, test)
        case "rust":
            return _rust_tests(test)
        case _:
            return ProgramTests(language, STARTS.get(language, ""), f"\n{test}")


def _go_tests(row: Row, test: str) -> ProgramTests:
    """Return tests whose `main` is what `go test` would have made."""
    own = set(_GO_PATH.findall(str(row["import"])))
    asked = set(_GO_PATH.findall(str(row["test_setup"]))) | {"testing"}
    used = {path for path in asked if f"{path.rpartition('/')[2]}." in test or path == "testing"}
    paths = sorted(path for path in used - own if not path.startswith("github.com"))
    imports = "".join(f'import "{path}"\n' for path in paths)
    names = re.findall(r"func (Test\w+)", test)
    listed = ", ".join(f'{{"{name}", {name}}}' for name in names)
    start = (
        "\nfunc main() {\n\ttesting.Main(func(_, _ string) (bool, error) { return true, nil }, "
        f"[]testing.InternalTest{{{listed}}}, nil, nil)\n}}\n"
    )
    head = f'package main\n{imports}import reflected "reflect"\n'
    return ProgramTests("go", head, f"\n{test}{GO_ASSERT}{start}", ("package main",))


def _rust_tests(test: str) -> ProgramTests:
    """Return tests that `main` calls; crates are not at hand."""
    plain = test.replace("#[cfg(test)]", "").replace("#[test]", "pub")
    calls = "".join(f"    tests::{name}();\n" for name in re.findall(r"fn (\w+)\(\)", plain))
    return ProgramTests("rust", "", f"{plain}\nfn main() {{\n{calls}}}\n", _RUST_CRATES)
