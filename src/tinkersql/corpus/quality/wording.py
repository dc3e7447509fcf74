"""Does a question hold a value? Letter case, accents, punctuation, plurals, number words and months are evened out."""

import re
import unicodedata
from functools import lru_cache

_UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen""".split()  # noqa: SIM905
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()  # noqa: SIM905
_MONTHS = """january february march april may june july august september october november
    december""".split()  # noqa: SIM905
_SCALES = {"hundred": 100, "thousand": 1_000, "k": 1_000, "million": 1_000_000, "m": 1_000_000, "billion": 10**9}
_NUMBERS: dict[str, float] = {
    **{word: number for number, word in enumerate(_UNITS)},
    **{word: 10 * number for number, word in enumerate(_TENS, 2)},
    **{word: number for number, word in enumerate(_ORDINALS, 1)},
    **{"a": 1, "an": 1, "single": 1, "once": 1, "only": 1, "each": 1, "multiple": 1, "several": 1},
    **{"no": 0, "none": 0, "never": 0, "without": 0, "not": 0, "any": 0, "positive": 0, "negative": 0},
    **{"both": 2, "twice": 2, "pair": 2, "couple": 2, "half": 0.5, "dozen": 12},
}
_CODES = {
    "f": ("female", "woman", "women", "girl", "lady"),
    "m": ("male", "man", "men", "boy"),
    "t": ("true", "yes"),
    "y": ("yes",),
    "n": ("no", "not"),
}
"""One-letter codes, and the words for them in questions."""
_SHORT = 3
"""Letters or digits of a value that may occur by chance inside of other words, and so must be a word of its own."""
_PIECE = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+|[^\W\d_]+")
"""A number or a word."""
_WORD = re.compile(r"[^\W_]+")


def holds(question: str, value: str) -> bool:
    """Whether the question holds a text value, or all its words, in whatever order and form."""
    squashed, words, _ = _parts(question)
    wanted = _WORD.findall(_folded(value))
    joined = "".join(wanted)
    if joined in squashed and (len(joined) > _SHORT or not joined):
        return True
    return all(_stem(word) in words or any(_stem(meant) in words for meant in _CODES.get(word, ())) for word in wanted)


def holds_number(question: str, number: float) -> bool:
    """Whether the question holds the number, in digits or in words; its sign does not count."""
    return abs(number) in _parts(question)[2]


@lru_cache(maxsize=8)
def _parts(question: str) -> tuple[str, frozenset[str], frozenset[float]]:
    """The question's letters and digits in one piece, its words, and its numbers."""
    folded = _folded(question)
    words = _WORD.findall(folded)
    numbers: set[float] = set()
    previous = 0.0
    for piece in _PIECE.findall(folded):
        is_digits = piece[0] == "." or piece[0].isdecimal()
        number = float(piece.replace(",", "")) if is_digits else _NUMBERS.get(piece)
        if number is None and piece in _SCALES and previous:
            number = previous * _SCALES[piece]
        if number is None:
            previous = 0.0
            continue
        if previous >= 20 and piece in _UNITS:
            numbers.add(previous + number)
        numbers.add(number)
        previous = number
    forms = {_stem(word) for word in words} | {f"{number:g}" for number in numbers}
    forms |= {str(month) for month, name in enumerate(_MONTHS, 1) if any(name.startswith(w) for w in words if w[2:])}
    return "".join(words), frozenset(forms), frozenset(numbers)


def _folded(text: str) -> str:
    """In lower case and without accents."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return text.casefold()


def _stem(word: str) -> str:
    """A word without its plural ending, a number without leading zeros."""
    if word.isdigit():
        return word.lstrip("0") or "0"
    return re.sub(r"(?<=\w\w)(?:ies|es|s|y)\Z", "", word)
