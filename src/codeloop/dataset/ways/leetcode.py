"""Exercises as dialogues: related ones after each other, or several solutions of one.

OpenCodeInterpreter (arXiv 2402.14658), section 2.2. The code is that of the exercises, byte for
byte; a model writes the prose before it, and never the code.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from codeloop.core.codeblocks import find_blocks, normalise_language
from codeloop.core.dialogue import Dialogue, Feedback, Source, Turn
from codeloop.core.protocols import Model, Sampling
from codeloop.dataset.asking import ask
from codeloop.dataset.failure import Failure, FailureKind, of_reply
from codeloop.dataset.keys import chooser, digest
from codeloop.dataset.records import Example, Exercise, Query, Solution, Way
from codeloop.loop.prompts import sections

_NAMES = {"cpp": "C++", "javascript": "JavaScript", "typescript": "TypeScript", "sql": "SQL"}
_NAMES |= {"csharp": "C#", "php": "PHP"}
_PART = re.compile(r"\s+(?:[IVX]+|\d+)$")  # Path Sum II
_SHARED_TAGS = 2
_ALIKE = 0.6  # of the tags of both together
_BEFORE_CHARACTERS = 3000  # of a dialogue so far
_COST = re.compile(r"[^a-z0-9^*+!]")


@dataclass(frozen=True, slots=True)
class ExerciseSettings:
    """How many exercises or solutions a dialogue has at most, and how the prose is written."""

    turns: int = 3
    language: str = "python"  # of related exercises
    sampling: Sampling = Sampling(temperature=0.0, max_tokens=320)


def related(
    exercises: Sequence[Exercise], settings: ExerciseSettings = ExerciseSettings()
) -> Iterator[tuple[Exercise, ...]]:
    """Yield groups of two or more related exercises that have a solution; none is in two.

    Related are those that name each other, then parts of one title, then those that share most of
    their tags and their difficulty.
    """
    usable = [each for each in exercises if _solution(each, settings.language)]
    used: set[str] = set()
    for degree in (_linked, _one_title, _like_tags):
        for group in degree(usable):
            free = [each for each in group if each.id not in used][: settings.turns]
            if len(free) > 1:
                used.update(each.id for each in free)
                yield tuple(free)


def similar(
    group: Sequence[Exercise], model: Model, settings: ExerciseSettings = ExerciseSettings()
) -> Example | Failure:
    """Make a dialogue of related exercises, each solved in turn.

    Raises:
        ModelError: a model call failed for good.
    """
    say = sections("leetcode")
    asked = []
    for at, exercise in enumerate(group):
        solution = _solution(exercise, settings.language)
        if solution is not None:
            form = say["similar" if at else "first"]
            request = form.substitute(
                statement=exercise.statement.strip(), language=_called(solution.language)
            )
            asked.append((request, solution))
    return _told(asked, list(group), Way.SIMILAR, model, settings)


def follow_up(
    exercise: Exercise, model: Model, settings: ExerciseSettings = ExerciseSettings()
) -> Example | Failure:
    """Make a dialogue of one exercise whose solutions differ in complexity or in language.

    Raises:
        ModelError: a model call failed for good.
    """
    chosen = different(exercise, settings.turns)
    if len(chosen) < 2:  # noqa: PLR2004  a follow-up follows something
        return Failure(FailureKind.TOO_FEW, f"{len(chosen)} solutions that differ")
    say = sections("leetcode")
    first = say["first"].substitute(
        statement=exercise.statement.strip(), language=_called(chosen[0].language)
    )
    asked = [(first, chosen[0])]
    asked += [(_change(old, new), new) for old, new in pairwise(chosen)]
    return _told(asked, [exercise], Way.FOLLOW_UP, model, settings)


def different(exercise: Exercise, count: int) -> list[Solution]:
    """Return at most so many solutions, each unlike the others in language or complexity.

    Python's come first; else the choice follows from the exercise's id.
    """
    solutions = [each for each in exercise.solutions if each.code.strip()]
    chooser(exercise.id, "solutions").shuffle(solutions)
    solutions.sort(key=lambda each: each.language != "python")
    kinds: dict[tuple[str, str, str], Solution] = {}
    for each in solutions:
        kinds.setdefault((each.language, _cost(each.time), _cost(each.space)), each)
    return list(kinds.values())[:count]


def _told(
    asked: Sequence[tuple[str, Solution]],
    exercises: Sequence[Exercise],
    way: Way,
    model: Model,
    settings: ExerciseSettings,
) -> Example | Failure:
    """Return the dialogue of requests and solutions, with prose before each."""
    if len(asked) < 2:  # noqa: PLR2004  one turn is no dialogue
        return Failure(FailureKind.TOO_FEW, "one exercise alone")
    turns: list[Turn] = []
    before: list[str] = []  # requests, not what was said to them, which a small model says again
    said: set[str] = set()
    for request, solution in asked:
        prose = _prose("\n\n".join(before), request, solution, model, settings)
        if isinstance(prose, Failure):
            return prose
        if prose in said:
            return Failure(FailureKind.REPEATED, prose[:200])
        if turns:
            turns[-1] = turns[-1].with_feedback(Feedback(Source.PERSON, request))
        turns.append(Turn(with_code(prose, solution), model=model.name))
        before.append(request)
        said.add(prose)
    ids = tuple(Query(each.statement.strip()).id for each in exercises)
    return Example(
        Dialogue(
            Dialogue.ask(asked[0][0]).opening,
            tuple(turns),
            digest([way, *(each.id for each in exercises), settings.turns]),
        ),
        way,
        ids,
        ", ".join(dict.fromkeys(each.source for each in exercises)),
        ", ".join(dict.fromkeys(each.licence for each in exercises)),
        asked[0][1].language,
        (model.name,),
    )


def with_code(prose: str, solution: Solution) -> str:
    """Return prose and then the code as it is, in a fence that nothing in it closes."""
    fence = "```"
    while fence in solution.code:
        fence += "`"
    end = "" if solution.code.endswith("\n") else "\n"
    return f"{prose}\n\n{fence}{solution.language}\n{solution.code}{end}{fence}"


def _prose(
    before: str, request: str, solution: Solution, model: Model, settings: ExerciseSettings
) -> str | Failure:
    """Return what a model says before a program; a reply that holds code is a failure."""
    say = sections("leetcode")
    shown = say["before"].substitute(before=before[-_BEFORE_CHARACTERS:]) if before else ""
    question = say["prose"].substitute(
        before=shown,
        request=request,
        language=_called(solution.language),
        code=solution.code.rstrip("\n"),
    )
    reply = ask(model, question.strip(), settings.sampling)
    words = reply.text.strip()
    if find_blocks(words) or "```" in words:
        words = words.partition("```")[0].strip()  # what comes before the code is prose
    if not words:
        return (
            of_reply(reply.text, reply.finish)
            if not reply.text.strip()
            else Failure(FailureKind.ALTERED, reply.text.strip()[:200])
        )
    return whole_sentences(words) or Failure(FailureKind.CUT_OFF, words[:200])


def whole_sentences(words: str) -> str:
    """Return words up to the end of their last whole sentence or list item."""
    if words.endswith((".", "!", "?", ":")):
        return words.rstrip(":") + "." if words.endswith(":") else words
    end = max(words.rfind(mark) for mark in (".", "!", "?"))
    return words[: end + 1].strip()


def _change(old: Solution, new: Solution) -> str:
    """Return what a user says who wants the new solution after the old one."""
    say = sections("leetcode")
    if old.language != new.language:
        return say["other_language"].substitute(language=_called(new.language))
    if _cost(old.time) != _cost(new.time) and old.time and new.time:
        form = "faster" if _growth(new.time) < _growth(old.time) else "slower"
        return say[form].substitute(old=old.time, new=new.time)
    if _cost(old.space) != _cost(new.space) and old.space and new.space:
        return say["leaner"].substitute(old=old.space, new=new.space)
    return say["another"].substitute(language=_called(new.language))


def _cost(complexity: str) -> str:
    return _COST.sub("", complexity.lower())


def _growth(complexity: str) -> float:
    """Return about how fast a cost grows: what it is at 1000, as a power of 1000."""
    text = _cost(complexity)
    if "!" in text:
        return 1000.0
    if re.search(r"\d\^?[nm]", text) and "^" in text:
        return 100.0
    powers = sum(float(power) - 1 for power in re.findall(r"[a-z]\^?(\d)", text))
    logs = text.count("log")
    letters = len(re.findall(r"[a-z]", text.replace("log", ""))) - text.count("o", 0, 1)
    return letters - logs + powers + logs / 3


def _solution(exercise: Exercise, language: str) -> Solution | None:
    wanted = normalise_language(language)
    found = (each for each in exercise.solutions if each.language == wanted and each.code.strip())
    return next(found, None)


def _called(language: str) -> str:
    return _NAMES.get(language, language.capitalize())


def _linked(exercises: Sequence[Exercise]) -> Iterator[list[Exercise]]:
    by_id = {each.id: each for each in exercises}
    for each in exercises:
        yield [each, *(by_id[other] for other in each.related if other in by_id)]


def _one_title(exercises: Sequence[Exercise]) -> Iterator[list[Exercise]]:
    groups: dict[str, list[Exercise]] = {}
    for each in exercises:
        groups.setdefault(_PART.sub("", each.title.strip()), []).append(each)
    yield from groups.values()


def _like_tags(exercises: Sequence[Exercise]) -> Iterator[list[Exercise]]:
    """Yield each exercise with those most like it by their tags, of its own difficulty."""
    by_level: dict[str, list[Exercise]] = {}
    for each in exercises:
        by_level.setdefault(each.difficulty, []).append(each)
    for each in exercises:
        own = set(each.tags)
        likes = []
        for other in by_level[each.difficulty]:
            shared = own & set(other.tags)
            likeness = len(shared) / len(own | set(other.tags)) if shared else 0.0
            if other.id != each.id and len(shared) >= _SHARED_TAGS and likeness >= _ALIKE:
                likes.append((-likeness, other.id, other))
        yield [each, *(other for *_, other in sorted(likes, key=lambda item: item[:2]))]
