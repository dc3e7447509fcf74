"""The SQL inside a language model's raw answer.

Models end their answers with special tokens, wrap them in code fences, put labels before them and run on after them
with explanations, the next question or a second statement. Nothing is ever repaired here: an answer that was cut off
inside a string stays cut off.
"""

import re

from tinkersql.equivalence.lexing import meaningful, tokens

_SPECIAL = re.compile(r"<\|[^|<>\n]{1,40}\|>|</?s>|<(?:eos|bos|pad|end_of_turn|start_of_turn)>|\[/?INST\]")
_THOUGHT = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_FENCE = "```"
_LANGUAGE = re.compile(r"[ \t]{0,8}(?:(?:sql\w{0,8}|postgres\w{0,8}|mysql|tsql|bigquery)\b|\w{0,16}[ \t]{0,8}\n)", re.I)
_NAME = r"(?:\w+|\"[^\"]*\"|`[^`]*`|\[[^\]]*\])"
_WITH = rf"WITH\s+(?:RECURSIVE\s+)?{_NAME}\s*(?:\([^()]*\)\s*)?AS\s*(?:NOT\s+)?(?:MATERIALIZED\s*)?\("
_QUERY_START = rf"(?:SELECT\b|VALUES\s*\(|{_WITH})"
_QUERY_WORDS = ("SELECT", "VALUES", "WITH")
_OTHER_START = (
    r"(?:INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|PRAGMA|ATTACH|DETACH|VACUUM|EXPLAIN|BEGIN|COMMIT|ROLLBACK|"
    r"SAVEPOINT|RELEASE|REINDEX|ANALYZE|TRUNCATE|GRANT|MERGE|CALL|EXEC)\b"
)
_LABEL = r"(?:\#{1,6}\s{0,4}|\*\*|>\s{0,4}|\d{1,3}[.)]\s{0,4})?(?:[A-Za-z][\w ]{0,40}:\s{0,4}(?:\*\*\s{0,4})?)?"
_AT_START = re.compile(rf"\A\s*{_LABEL}(?P<sql>\(*\s*{_QUERY_START}|{_OTHER_START})", re.IGNORECASE)
_AT_LINE = re.compile(rf"^[ \t]*{_LABEL}(?P<sql>\(*[ \t]*{_QUERY_START})", re.IGNORECASE | re.MULTILINE)
_AFTER_COLON = re.compile(rf"[:`]\s{{0,4}}(?P<sql>{_QUERY_START})", re.IGNORECASE)
_ANYWHERE = re.compile(rf"\b(?P<sql>{_QUERY_START})")
_RUN_ON = re.compile(
    r"(?:Answer|Explanation|Explain|Question|Results?|Output|Solution|Response|SQL(?:ite)?(?: query)?|Query|Note|"
    r"Table schema|Schema|Context|Input|Human|User|Assistant|Example)\s*:(?!:)|\#{2,}|```|-{3,}|={3,}|\*\*",
    re.IGNORECASE,
)
_CONTINUES = re.compile(
    r"\s*(?:FROM|WHERE|GROUP|ORDER|HAVING|LIMIT|OFFSET|UNION|INTERSECT|EXCEPT|JOIN|INNER|LEFT|RIGHT|FULL|CROSS|NATURAL|"
    r"ON|AND|OR|SELECT|AS|WINDOW|FETCH|[(),])(?:\b|(?<=[(),]))",
    re.IGNORECASE,
)
_JOINS_SELECTS = {"UNION", "ALL", "INTERSECT", "EXCEPT", "MINUS", "DISTINCT"}


def extract_sql(answer: str) -> str:
    """The first SQL statement of a raw model answer, without its semicolon; an empty string when there is none.

    A statement that is no query (such as ``DROP TABLE``) is returned too: refusing it is the judge's affair.
    """
    text = answer
    while (leading := _SPECIAL.match(text.lstrip())) is not None:
        text = text.lstrip()[leading.end() :]
    if special := _SPECIAL.search(text):
        text = text[: special.start()]
    text = _THOUGHT.sub("", text)
    text = _unfenced(text)
    text = _without_leading_comments(text)
    found = _AT_START.match(text) or _AT_LINE.search(text) or _AFTER_COLON.search(text) or _ANYWHERE.search(text)
    return _first_statement(text, found.start("sql")) if found else ""


def first_statement(sql: str) -> str:
    """The text up to the first semicolon that stands outside of quotes and comments."""
    for token in tokens(sql):
        if token.kind == "mark" and token.text == ";":
            return sql[: token.start].strip()
    return sql.strip()


def other_command(sql: str) -> str:
    """The word that starts a statement of another kind, such as ``CREATE``; an empty string for a query."""
    first = next(meaningful(sql), None)
    return first.word if first and first.word not in _QUERY_WORDS else ""


def looks_like_sql(sql: str) -> bool:
    """Whether the text parses as one query, in SQLite's dialect or in one of those that the judge translates."""
    from tinkersql.equivalence.dialects import parse_any

    return parse_any(sql) is not None


def _unfenced(text: str) -> str:
    """The inside of the first code fence, unless a query already stands before it."""
    start = text.find(_FENCE)
    if start < 0:
        return text.strip().strip("`") if text.strip().startswith("`") else text
    before, inside = text[:start], text[start + len(_FENCE) :]
    if _AT_LINE.search(before):
        return before
    language = _LANGUAGE.match(inside)
    inside = inside[language.end() :] if language else inside
    return inside.partition(_FENCE)[0]


def _without_leading_comments(text: str) -> str:
    first = next(meaningful(text), None)
    return text[first.start :] if first else ""


def _first_statement(text: str, start: int) -> str:
    """Cut at the semicolon, at run-on text, at a blank line that does not continue, or at a second SELECT."""
    depth, selects, previous, line_start, end = 0, 0, "", False, len(text)
    for token in tokens(text, start):
        if token.kind == "space":
            if re.search(r"\n[ \t\r]*\n", token.text) and depth == 0 and not _CONTINUES.match(text, token.end):
                end = token.start
                break
            line_start = "\n" in token.text
            continue
        if token.kind == "comment":
            if line_start and token.text.startswith("---"):
                end = token.start
                break
            continue
        if token.kind == "mark":
            if token.text == ";":
                end = token.start
                break
            depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.kind in ("mark", "word", "open") and token.start > start and _RUN_ON.match(text, token.start):
            end = token.start
            break
        if token.word == "SELECT" and depth == 0:
            if selects and line_start and previous not in _JOINS_SELECTS:
                end = token.start
                break
            selects += 1
        previous, line_start = token.word or token.text, False
    return text[start:end].strip()
