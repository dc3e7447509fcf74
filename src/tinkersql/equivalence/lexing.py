"""SQL text as tokens: just enough to find strings, comments, statement ends and words, whatever the dialect."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<string>'[^']*(?:''[^']*)*')
    | (?P<quoted>"[^"]*(?:""[^"]*)*"|`[^`]*(?:``[^`]*)*`|\[[^\]\n]*\])
    | (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    | (?P<open>['"`\[])
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    | (?P<word>\w+)
    | (?P<space>\s+)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
MAX_ANSWER = 50_000
"""Characters of a raw answer that are looked at: more than the longest statement that is run has."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL: ``kind`` is string, quoted, comment, open (an unclosed quote), number, word, space or mark."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The token in upper case if it is a bare word, else an empty string."""
        return self.text.upper() if self.kind == "word" else ""


def tokens(sql: str, start: int = 0) -> Iterator[Token]:
    """All tokens from ``start``, spaces and comments included; an unclosed quote swallows the rest of the text."""
    for found in _TOKEN.finditer(sql, start):
        kind = found.lastgroup or "mark"
        if kind == "open":
            yield Token(kind, sql[found.start() :], found.start(), len(sql))
            return
        yield Token(kind, found.group(), found.start(), found.end())


def meaningful(sql: str, start: int = 0) -> Iterator[Token]:
    """The tokens without spaces and comments."""
    return (token for token in tokens(sql, start) if token.kind not in ("space", "comment"))


def bounded(answer: str) -> str:
    """The answer, or of one that is far too long the first ``MAX_ANSWER`` characters behind the model's thoughts."""
    if len(answer) <= MAX_ANSWER:
        return answer
    return answer[max(0, answer.rfind("</think")) :][:MAX_ANSWER]


def unquote(text: str) -> str:
    """The name or value inside a quoted token; a bare word stays as it is."""
    if len(text) >= 2 and text[0] in "'\"`[":
        close = "]" if text[0] == "[" else text[0]
        return text[1:-1].replace(close * 2, close) if close != "]" else text[1:-1]
    return text


def quote_text(value: str) -> str:
    """A value as a single-quoted SQL string."""
    return "'" + value.replace("'", "''") + "'"
