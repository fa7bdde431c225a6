from dataclasses import replace

from codeloop.core.dialogue import Dialogue, Feedback, Source, Turn
from codeloop.core.problem import CheckTests, FunctionTests, Problem
from codeloop.evals.canaries import leaks
from codeloop.loop.prompts import sections

PROBLEM = Problem("length", "def length(text):\n    ...", (), "length")


def hidden(value: str) -> list[FunctionTests]:
    return [FunctionTests(((value,),), (len(value),))]


def asked() -> Dialogue:
    say = sections("evaluation")["complete"]
    return Dialogue.ask(say.substitute(prompt=PROBLEM.prompt, language="python", tests=""))


def test_a_word_of_our_own_that_a_hidden_test_holds_too_is_no_leak() -> None:
    assert "function" in asked().opening[0].content
    assert leaks(asked(), PROBLEM, hidden("function")) == []


def test_what_a_critic_tells_of_a_hidden_test_is_a_leak() -> None:
    said = Feedback(Source.CRITIC, "Try it with 'xylophones'.")
    told = asked().with_turn(Turn("```python\n```")).with_feedback(said)
    assert leaks(told, PROBLEM, hidden("xylophones")) == ["xylophones"]
    knew = asked().with_turn(Turn("# xylophones")).with_feedback(said)
    assert leaks(knew, PROBLEM, hidden("xylophones")) == []


def test_what_a_visible_test_says_is_known_in_whatever_quotes_it_is_told() -> None:
    shown = CheckTests('assert length("x") == ["xylophones", 1]')
    tests = [FunctionTests((("x",),), (["xylophones", 1],))]
    told = (
        asked()
        .with_turn(Turn(""))
        .with_feedback(Feedback(Source.CRITIC, "Expected: ['xylophones', 1]"))
    )
    assert leaks(told, replace(PROBLEM, visible=(shown,)), tests) == []
    assert leaks(told, PROBLEM, tests) == ["['xylophones', 1]"]


def test_a_number_that_python_refuses_to_write_hides_no_leak_beside_it() -> None:
    huge = 10**5000
    tests = [FunctionTests((("xylophones",), (huge,)), (10, [huge]))]
    said = Feedback(Source.CRITIC, "Try it with 'xylophones'.")
    told = asked().with_turn(Turn("")).with_feedback(said)
    assert leaks(told, PROBLEM, tests) == ["xylophones"]
    assert leaks(asked(), replace(PROBLEM, visible=tuple(tests)), tests) == []
