"""Each published form is told by its rows, and read as queries, examples or exercises."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloop.core.dialogue import Dialogue, Role
from codeloop.core.errors import ConfigError
from codeloop.core.problem import CheckTests, FunctionTests, Problem, StdioCase, StdioTests
from codeloop.dataset.records import Example, Exercise, Malformed, Query, Way, decode, encode
from codeloop.dataset.sources.exercises import with_tests
from codeloop.dataset.sources.forms import Form, Origin, form_of
from codeloop.dataset.sources.ingest import Record, Source, queries, read_source

CODE = "```python\nprint(1)\n```"
PLAIN_ROWS: dict[Form, dict[str, Any]] = {
    Form.FILTERED: {"query": "Q", "answer": CODE, "resource": "evolinstruct", "lang": "Python"},
    Form.OSS_INSTRUCT: {
        "lang": "python",
        "raw_index": 1,
        "problem": "Q",
        "solution": CODE,
        "seed": "",
    },
    Form.ALPACA: {"instruction": "Q", "input": "", "output": CODE},
    Form.EVOL_INSTRUCT: {"instruction": "Q", "response": CODE},
    Form.SHAREGPT: {
        "id": "x",
        "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": CODE}],
    },
    Form.PLAIN: {"question": "Q", "answer": CODE},
}


def read(tmp_path: Path, *rows: object, form: Form | None = None) -> list[Record | Malformed]:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return list(read_source(Source(path, Origin("set", "MIT"), form)))


@pytest.mark.parametrize("form", PLAIN_ROWS)
def test_a_form_of_queries_is_told_and_read(tmp_path: Path, form: Form) -> None:
    row = PLAIN_ROWS[form]
    assert form_of([row]) is form
    (query,) = read(tmp_path, row)
    assert isinstance(query, Query)
    assert (query.query, query.answer, query.source) == ("Q", CODE, "set")
    assert (query.licence, query.language) == ("MIT", "python")


def test_the_80k_of_evol_instruct_has_outputs(tmp_path: Path) -> None:
    (query,) = read(tmp_path, {"instruction": "Q", "output": "A"})
    assert isinstance(query, Query)
    assert (query.query, query.answer) == ("Q", "A")


def test_the_input_of_an_alpaca_row_belongs_to_the_query(tmp_path: Path) -> None:
    (query,) = read(tmp_path, {"instruction": "Sort", "input": "[2, 1]", "output": "[1, 2]"})
    assert isinstance(query, Query)
    assert query.query == "Sort\n\n[2, 1]"


def test_a_row_s_own_licence_comes_first(tmp_path: Path) -> None:
    (query,) = read(tmp_path, {"query": "Q", "license": "BSD"})
    assert isinstance(query, Query)
    assert query.licence == "BSD"


def test_what_was_ingested_is_ingested_again_as_it_is(tmp_path: Path) -> None:
    query = Query("Q", "A", "elsewhere", "BSD", "go", (("k", "v"),))
    assert read(tmp_path, json.loads(encode(query))) == [query]


def test_most_rows_tell_the_form_and_the_others_are_malformed(tmp_path: Path) -> None:
    good = {"instruction": "Q", "input": "", "output": "A"}
    bad = [{"instruction": 7, "input": "", "output": "A"}, {"instruction": "Q"}, {"other": 1}]
    read_rows = read(tmp_path, bad[2], good, bad[0], good, good)
    assert [isinstance(each, Query) for each in read_rows] == [False, True, False, True, True]
    assert isinstance(read_rows[0], Malformed)
    assert read_rows[0].where == f"{tmp_path}/rows.jsonl:1"
    assert "alpaca" in read_rows[0].why


def test_rows_of_no_known_form_are_a_matter_for_the_user(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rows\.jsonl: its form is not known \(fields: a, b\)"):
        read(tmp_path, {"a": 1, "b": 2})


def test_a_file_of_malformed_rows_alone_gives_them(tmp_path: Path) -> None:
    assert [type(each) for each in read(tmp_path, 1, 2)] == [Malformed, Malformed]


@given(
    st.lists(st.sampled_from(["user", "assistant"]), max_size=8),
    st.lists(st.text(min_size=1), min_size=8, max_size=8),
    st.booleans(),
)
def test_a_published_dialogue_keeps_every_message(
    tmp_path_factory: pytest.TempPathFactory, roles: list[str], texts: list[str], system: bool
) -> None:
    first = ["system"] if system else []
    messages = [
        {"role": role, "content": f"{number}{text}"}
        for number, (role, text) in enumerate(zip([*first, *roles], texts, strict=False))
    ]
    (found,) = read(tmp_path_factory.mktemp("rows"), {"id": 1, "messages": messages})
    bare = messages[len(first) :]
    if [each["role"] for each in bare[:1]] != ["user"] or "assistant" not in roles[:8]:
        assert isinstance(found, Malformed)
        return
    assert isinstance(found, Example)
    assert found.way is Way.PUBLISHED
    assert "\n\n".join(spoken(found.dialogue)) == "\n\n".join(each["content"] for each in messages)
    assert decode(Example, encode(found)) == found


def spoken(dialogue: Dialogue) -> list[str]:
    texts = [each.content for each in dialogue.opening]
    for turn in dialogue.turns:
        texts += [turn.reply, *(each.text for each in turn.feedback)]
    return texts


def test_a_dialogue_s_first_pair_is_its_query(tmp_path: Path) -> None:
    row = {
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": "Q"},
            {"role": "assistant", "content": CODE},
            {"role": "user", "content": "Execution result: 1"},
            {"role": "assistant", "content": "It is 1."},
        ]
    }
    (example,) = read(tmp_path, row)
    assert isinstance(example, Example)
    assert [each.role for each in example.dialogue.opening] == [Role.SYSTEM, Role.USER]
    (query,) = queries([example])
    assert isinstance(query, Query)
    assert (query.query, query.answer, query.language) == ("Q", CODE, "python")
    assert example.query_ids == (Query("Q", CODE).id,)


@pytest.mark.parametrize(
    "messages",
    [
        [{"from": "gpt", "value": "A"}],
        [{"from": "human", "value": 3}],
        [{"from": "nobody", "value": "Q"}],
        ["Q"],
        [],
    ],
)
def test_messages_that_begin_with_no_request_are_malformed(
    tmp_path: Path, messages: list[Any]
) -> None:
    (found,) = read(tmp_path, {"conversations": messages})
    assert isinstance(found, Malformed)


def test_taco_gives_programs_their_cases_and_functions_their_calls(tmp_path: Path) -> None:
    row = {
        "question": "Add.",
        "solutions": json.dumps(["print(sum(map(int, input().split())))"]),
        "input_output": json.dumps({"inputs": ["1 2\n", ["3", "4"]], "outputs": ["3\n", ["7"]]}),
        "difficulty": "EASY",
        "tags": "['Implementation', 'Math']",
        "skill_types": "[]",
        "url": "https://example.org/1",
        "Expected Time Complexity": "O(1)",
    }
    call = row | {
        "input_output": json.dumps({"fn_name": "add", "inputs": [[1, 2]], "outputs": [[3]]})
    }
    program, function, bare = read(tmp_path, row, call, row | {"input_output": ""})
    assert isinstance(program, Exercise)
    assert isinstance(function, Exercise)
    assert isinstance(bare, Exercise)
    assert program.tags == ("Implementation", "Math")
    assert (program.difficulty, program.solutions[0].time) == ("easy", "O(1)")
    assert program.problem is not None
    cases = (StdioCase("1 2\n", "3\n"), StdioCase("3\n4", "7"))
    assert program.problem.tests == (StdioTests(cases),)
    assert function.problem is not None
    assert function.problem.tests == (FunctionTests(((1, 2),), (3,)),)
    assert bare.problem is None


def test_leetcode_s_collections_meet_in_one_id(tmp_path: Path) -> None:
    many = {
        "id": "0001",
        "title": "Two Sum",
        "slug": "two-sum",
        "difficulty": "Easy",
        "tags": ["Array"],
        "statement": "Given ...",
        "solutions": {"python": "class Solution: pass", "golang": "func twoSum()"},
    }
    tested = {
        "task_id": "two-sum",
        "prompt": "import math\n",
        "completion": "class Solution: ...",
        "entry_point": "Solution().twoSum",
        "test": "def check(candidate):\n    assert candidate(1) == 1",
        "query": "Given ...\nPlease complete the following python code precisely:\n```",
        "meta": {"difficulty": "Easy", "lang_code": "class Solution:"},
    }
    contest = {
        "task_id": "weekly-contest-1-two-sum",
        "prompt": '"""Given"""',
        "prompt_sft": "Given",
        "test": "my_solution = Solution()\n\ntest_input = {'a': 1}\n"
        "assert my_solution.twoSum(**test_input) == 1\n",
    }
    found = [read(tmp_path, row)[0] for row in (many, tested, contest)]
    exercises = [each for each in found if isinstance(each, Exercise)]
    assert [each.id for each in exercises] == ["leetcode/two-sum"] * 3
    assert [each.language for each in exercises[0].solutions] == ["python", "go"]
    assert exercises[1].statement == "Given ..."
    problem = exercises[2].problem
    assert problem is not None
    assert problem.entry_point == "Solution().twoSum"
    assert isinstance(problem.tests[0], CheckTests)
    assert "assert candidate(**test_input) == 1" in problem.tests[0].source
    (query,) = queries([exercises[0]])
    assert isinstance(query, Query)
    assert query.answer == "```python\nclass Solution: pass\n```"


def test_tests_join_exercises_of_the_same_id_that_have_none() -> None:
    known = {name: Problem(name, "", ()) for name in ("a", "b")}
    own = Problem("b", "its own", ())
    given = [Exercise("a", "", ""), Exercise("b", "", "", problem=own), Exercise("c", "", "")]
    assert [each.problem for each in with_tests(given, known)] == [known["a"], own, None]
