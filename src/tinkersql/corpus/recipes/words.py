"""Names as words: what a column name says, and whether two names, or a name and a question, could be confused."""

import re
from functools import lru_cache

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_REMEMBERED = 20_000
"""Texts whose words are kept: the same names come up again and again, questions do not."""
_EMPTY = frozenset({"of", "the", "in", "a", "an", "and", "or", "by", "for", "to", "at", "on", "s"})
_ALIKE = tuple(
    frozenset(group.split())
    for group in (
        "location venue site stadium place city ground arena town where circuit track hometown surface capital",
        "date year day season time month when week period age founded established launched released first",
        "player name driver winner person artist rider skipper champion athlete actor director coach who opponent",
        "title name episode song film album series show book program",
        "score result point record outcome final decision finish",
        "attendance crowd capacity audience spectator",
        "country nation nationality nat region state province county district",
        "team club franchise school side college squad opponent institution university",
        "position rank place finish standing pos seed grid",
        "win won victory w champion winner",
        "loss lost defeat l",
        "home host",
        "against opponent visitor versus away opposition",
        "vote percentage share percent",
        "type kind class category genre style format status",
        "number no count total quantity amount sum code id",
        "price cost fee money earning prize salary value",
        "writer author director composer written directed",
        "game match race round tournament competition event championship stage cup league",
        "engine chassis constructor manufacturer maker builder company model",
        "population inhabitant people",
        "height elevation altitude length distance size area",
        "weight mass",
        "network channel station",
        "runner second loser partner",
        "party affiliation candidate incumbent",
    )
)
"""Words that a question may mean by one another: a spare `venue` beside a used `location` would leave a doubt."""


def split(name: str) -> list[str]:
    """The words and numbers in a name, as they are written: ``homeTeam_2`` is ``home``, ``Team``, ``2``."""
    return _PART.findall(name)


@lru_cache(_REMEMBERED)
def words_of(name: str) -> frozenset[str]:
    """The words in a name, in lower case and in the singular: ``Home_teamScores`` has ``home``, ``team``, ``score``."""
    return frozenset(singular(word.lower()) for word in split(name) if not word.isdigit()) - _EMPTY


def singular(word: str) -> str:
    """A noun's singular, by rule of thumb."""
    if word.endswith("ies") and len(word) > 4 and word != "series":
        return word[:-3] + "y"
    if word.endswith(("sses", "ches", "shes", "xes")):
        return word[:-2]
    if word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is", "ies")):
        return word[:-1]
    return word


def are_near(one: str, other: str) -> bool:
    """Whether the words of a name are among those of the other, or its letters stand in the other."""
    first, second = words_of(one), words_of(other)
    if first <= second or second <= first:
        return True
    short, long = sorted((_letters(one), _letters(other)), key=len)
    return len(short) >= 3 and short in long


def are_alike(one: str, other: str) -> bool:
    """Whether the names hold words of related meaning."""
    return bool(_fields(one) & _fields(other))


def is_hinted(name: str, question: str) -> bool:
    """Whether a word of the question begins like a word of the name (``played`` hints at ``player``)."""
    asked = {word[:4] for word in words_of(question)}
    return any(word[:4] in asked for word in words_of(name) if len(word) > 1)


def is_named(name: str, question: str) -> bool:
    """Whether all words of the name stand in the question."""
    return words_of(name) <= words_of(question)


@lru_cache(_REMEMBERED)
def _fields(name: str) -> frozenset[int]:
    words = words_of(name)
    return frozenset(number for number, group in enumerate(_ALIKE) if words & group)


@lru_cache(_REMEMBERED)
def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalpha())
