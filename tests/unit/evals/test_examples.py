import pytest

from codeloop.evals.humaneval import docstring_asserts, prompt_asserts

DOCTEST = '''
def f(x):
    """Half of it.
    >>> f(3)
    1.5
    >>> round(f(1), 1) # a half
    0.5
    >>> print(f(2))
    1.0
    """
'''


def test_doctests_become_asserts_and_what_prints_does_not() -> None:
    assert docstring_asserts(DOCTEST, "f") == ("assert f(3) == 1.5", "assert round(f(1), 1) == 0.5")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("f(1) ==> [1, 2]", "assert f(1) == [1, 2]"),
        ("f(1) => true", "assert f(1) == True"),
        ("f('a)b', [2]) ➞ 'x'.", "assert f('a)b', [2]) == 'x'"),
        ("f(1) returns 3", "assert f(1) == 3"),
        ("f(1) == 3", "assert f(1) == 3"),
        ('f(15)   # returns "db"', 'assert f(15) == "db"'),
    ],
)
def test_what_is_written_with_a_sign_becomes_an_assert(written: str, expected: str) -> None:
    prompt = f'def f(x):\n    """Do it.\n\n    {written}\n    """\n'
    assert docstring_asserts(prompt, "f") == (expected,)


@pytest.mark.parametrize("written", ["f(a) => 1", "f(1) => 1 + x", "f(1", "g(1) == 2", "f(1) is 2"])
def test_what_is_no_example_is_passed_over(written: str) -> None:
    assert docstring_asserts(f'def f(x):\n    """Do it.\n    {written}\n    """\n', "f") == ()


def test_examples_of_helpers_are_not_taken() -> None:
    prompt = 'def g(x):\n    """>>> f(1)\n    2\n    """\n\ndef f(x):\n    """No example."""\n'
    assert docstring_asserts(prompt, "f") == ()


def test_asserts_that_stand_in_a_prompt() -> None:
    prompt = '"""\nAdd.\nassert f(1) == 2\nassert f(\n"""\n'
    assert prompt_asserts(prompt) == ("assert f(1) == 2",)
