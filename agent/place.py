"""Where in its task a run is, by the words of the task that thoughts begin with.

For models that say first, in every thought of several lines, which wish a step is for, in the words of the
task (`Preferences.quotes_task`). A small one may put a wish together out of two, leave one out, end too
early, or turn to another thing than the wish names: all show in the words. Pure functions of texts.
"""

import re
from collections.abc import Iterable, Sequence

MOST_LETTERS = 16  # that stand between two wishes and belong to none, as in ", and after that "
MARKS = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'"})
IN_QUOTES = re.compile(r"(?<!\w)([\"'])(.+?)\1(?!\w)")
Place = tuple[int, int]  # where words begin and end


def quoted(thought: str) -> str:
    """What a thought says before its last line."""
    return "\n".join([line for line in thought.splitlines() if line.strip()][:-1])


def strays(
    thought: str,
    task: str,
    before: Sequence[str],
    heard: Iterable[str] = (),
    ends: bool = False,
    may_go_back: bool = True,
) -> bool:
    """Whether the words are not those of the task, or leave part of it out; for a step that `ends` the run,
    whether something is left.

    `before`: the thoughts so far. `heard`: what a person said meanwhile, whose words are as good.
    Behind one that takes no words from the task nobody knows the place. `may_go_back`: to an earlier wish.
    """
    text, words = _plain(task), _plain(quoted(thought))
    at, is_known = (0, 0), True
    for each in before:
        if place := _find(_plain(quoted(each)), text, at):
            at, is_known = place, True
        elif _silent(each):
            is_known = False
    if not words:
        return ends and is_known and at[1] > 0 and _letters(text[at[1] :]) > MOST_LETTERS
    found = _find(words, text, at)
    if found is None:
        return not any(_find(words, _plain(other), at) for other in heard)
    if found[0] < at[0] and not may_go_back:
        return True
    left_out, rest = text[at[1] : found[0]] if is_known else "", text[found[1] :] if ends else ""
    return max(_letters(left_out), _letters(rest)) > MOST_LETTERS


def misnames(thought: str) -> bool:
    """Whether the deed, in the last line, names something that the wish before it does not name, though that
    has a name in it."""
    wish, name = quoted(thought).translate(MARKS), _name(thought)
    return bool(name) and any(mark in wish for mark in "\"'") and _bare(name) not in _bare(wish)


def runs_ahead(thought: str, before: Iterable[str]) -> bool:
    """Whether the deed is for what stands behind the "and" of its wish, and no step was for this wish yet."""
    wish, name = _plain(quoted(thought)), _bare(_name(thought))
    first, _, second = wish.rpartition(" and ")
    is_second = bool(first and name) and name in _bare(second) and name not in _bare(first)
    return is_second and not any(_plain(quoted(each)) in (wish, first) for each in before)


def same_wish(thought: str, other: str) -> bool:
    """Whether both say that they are for the same words of the task."""
    wish = _plain(quoted(thought))
    return bool(wish) and wish == _plain(quoted(other))


def unnamed(task: str, deeds: Iterable[str]) -> list[str]:
    """What stands in quotes in the task, and in none of the deeds."""
    done = _bare("\n".join(deeds))
    names = (match[2] for match in IN_QUOTES.finditer(task.translate(MARKS)))
    return [name for name in names if _bare(name) not in done]


def names_any(names: Iterable[str], thought: str) -> bool:
    """Whether its deed names one of these."""
    return any(_bare(name) in _bare(deed_of(thought)) for name in names)


def deed_of(thought: str) -> str:
    """Its last line."""
    return thought.rstrip().rpartition("\n")[2]


def cuts(text: str, thought: str) -> bool:
    """Whether the text is the beginning of one that stands in quotes in the wish, and no more."""
    wish, text = quoted(thought).translate(MARKS), text.translate(MARKS)
    begins = (f"{mark}{text}" in wish and f"{mark}{text}{mark}" not in wish for mark in "\"'")
    return bool(text) and any(begins)


def miscopies(text: str, task: str) -> bool:
    """Whether the task has this text, but in other capitals."""
    text, task = text.translate(MARKS), task.translate(MARKS)
    return text not in task and text.lower() in task.lower()


def _name(thought: str) -> str:
    """What the deed names last."""
    deed = deed_of(thought)
    return deed[:-1].rpartition(" '")[2] if deed.endswith("'") else ""


def _find(words: str, text: str, at: Place) -> Place | None:
    """The first place from `at` on where they stand as whole words, else the last before it."""
    starts = [i for i in range(len(text)) if text.startswith(words, i)] if words else []
    places = [(i, i + len(words)) for i in starts if _whole(text, i, i + len(words))]
    later = [place for place in places if place[0] >= at[0]]
    return later[0] if later else places[-1] if places else None


def _whole(text: str, start: int, end: int) -> bool:
    return not any(text[i - 1 : i + 1].isalnum() for i in (start, end) if 0 < i < len(text))


def _silent(thought: str) -> bool:
    """Whether a deed comes without the wish that it is for."""
    return bool(thought.strip()) and not quoted(thought)


def _plain(text: str) -> str:
    return " ".join(text.translate(MARKS).lower().split())


def _letters(text: str) -> int:
    return len(_bare(text))


def _bare(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())
