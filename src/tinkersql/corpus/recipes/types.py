"""Types that a person would declare: the data knows VARCHAR, and INTEGER for what its query counts with."""

import re
from collections import defaultdict
from collections.abc import Sequence
from random import Random

from tinkersql.corpus.recipes.drafts import Column, Draft
from tinkersql.corpus.recipes.pool import Pool
from tinkersql.corpus.recipes.words import split
from tinkersql.equivalence.lexing import Token, meaningful, unquote

_WHOLE = frozenset(
    """year age rank week round pick laps wins losses draws ties goals points game games matches played made
    scored attendance crowd population capacity season seasons episode episodes number total bronze silver gold
    touchdowns runs tries assists rebounds starts poles podiums caps appearances floors votes seats enrollment
    founded established launched built quantity stock salary lane grid drawn lost won against conceded overall
    yards medals count pages stage decile track duration minutes students""".split()  # noqa: SIM905
)
_REAL = frozenset(
    """price cost amount fee average percentage percent pct share height weight length width area distance speed
    rating latitude longitude temperature viewers earnings revenue budget gdp density elevation depth power
    swimsuit interview balance rate""".split()  # noqa: SIM905
)
_BEHIND = frozenset("for in kg km m lb lbs mm cm ft mi mph feet meters metres millions million billion".split())  # noqa: SIM905
"""Units and the like, which may stand behind the word that says what a column holds."""
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_KEY = re.compile(r"(?:.*_)?(?:id|ID|Id)\Z|.*[a-z]I[Dd]\Z")
_VARCHARS = ("VARCHAR", "VARCHAR", "VARCHAR", "TEXT")
_RESETS = frozenset("SELECT FROM WHERE GROUP HAVING ORDER BY LIMIT OFFSET ON UNION INTERSECT EXCEPT COUNT".split())  # noqa: SIM905


def realistic_types(draft: Draft, rng: Random, _: Pool) -> bool:
    """Give the columns of type VARCHAR or INTEGER the type that their names and the golds' literals speak for.

    A column that is compared with a quoted text keeps a text type (DATE for ``"2010-05-01"``), one compared with a
    number gets a numeric one, columns that are joined get the same. Only the other columns go by their names. Text is
    VARCHAR or TEXT, the same in the whole schema.
    """
    texts, numbers, joined = _uses(draft)
    text_type = rng.choice(_VARCHARS)
    kinds: dict[str, str] = {}
    for column in draft.columns():
        name = column.name.casefold()
        kinds[name] = _type(column, texts.get(name, ()), numbers.get(name, ()), text_type)
    for one, other in joined:
        if one in kinds and other in kinds and kinds[one] != kinds[other]:
            is_text = texts.get(one) or texts.get(other)
            kinds[one] = kinds[other] = text_type if is_text else "INTEGER"
    changed = False
    for column in draft.columns():
        kind = kinds[column.name.casefold()]
        if column.type.upper() in ("VARCHAR", "INTEGER") and column.type != kind:
            column.type, changed = kind, True
    return changed


def _type(column: Column, texts: Sequence[str], numbers: Sequence[str], text: str) -> str:
    if texts:
        return "DATE" if all(_ISO_DATE.match(value) for value in texts) else text
    if numbers:
        return "REAL" if any("." in number for number in numbers) else "INTEGER"
    head = _head(column.name)
    if head == "date" or column.name.casefold().startswith("date_"):
        return "DATE"
    if column.type.upper() == "INTEGER":
        return "REAL" if head in _REAL else "INTEGER"
    if _KEY.match(column.name):
        return "INTEGER"
    if column.name.casefold().startswith("location"):  # location_attendance: "Boston Garden 14,890"
        return text
    return "INTEGER" if head in _WHOLE else "REAL" if head in _REAL else text


def _head(name: str) -> str:
    """The word that says what a column holds: the last one, as in ``weight_kg`` and ``goals_for`` without the rest."""
    words = [word.lower() for word in split(name) if not word.isdigit() and word.lower() not in _BEHIND]
    return words[-1] if words else ""


def _uses(draft: Draft) -> tuple[dict[str, list[str]], dict[str, list[str]], list[tuple[str, str]]]:
    """For each column the texts and the numbers that golds compare it with, and the pairs that they equate."""
    texts: defaultdict[str, list[str]] = defaultdict(list)
    numbers: defaultdict[str, list[str]] = defaultdict(list)
    joined: list[tuple[str, str]] = []
    names = {column.name.casefold() for column in draft.columns()}
    for gold in draft.golds:
        found = list(meaningful(gold))
        last = ""
        for index, token in enumerate(found):
            name = unquote(token.text).casefold() if token.kind in ("word", "quoted") else ""
            if name in names and not _is_call(found, index):
                before = [other.text for other in found[max(0, index - 3) : index]]
                if last and (before[-1:] == ["="] or (before[:1] == ["="] and before[-1:] == ["."])):
                    joined.append((last, name))
                last = name
            elif token.kind in ("string", "quoted"):
                texts[last].append(unquote(token.text))
            elif token.kind == "number":
                numbers[last].append(token.text)
            elif token.word in _RESETS or token.text == "*":
                last = ""
    texts.pop("", None)
    numbers.pop("", None)
    return texts, numbers, joined


def _is_call(found: list[Token], index: int) -> bool:
    return index + 1 < len(found) and found[index + 1].text == "("
