"""The SQL inside a language model's raw answer.

Models end their answers with special tokens, wrap them in code fences, tags or JSON, put labels and thoughts before
them and run on after them with explanations, the next question or a second statement. Marks inside string literals
are part of the value and never cut. Nothing is ever repaired: an answer that was cut off inside a string stays cut
off, and a later statement never stands in for a wrong first one.
"""

import re
from collections.abc import Iterator
from itertools import islice
from json import JSONDecodeError, JSONDecoder

from tinkersql.equivalence.lexing import bounded, meaningful, tokens

_BLANKS = " \t\r\n\f\v\u00a0\u200b\u2581\ufeff"
_TAGS = (
    r"s|end|eos|bos|pad|unk|sep|cls|stop|eot|eof|br|p|end_of_turn|start_of_turn|end_of_text|endoftext|"
    r"sql|query|answer|output|response|result|final|code"
)
_SPECIAL = re.compile(
    rf"<[|｜]|<(?:{_TAGS}|think|0x[0-9a-f]{{2}})>|</[a-z]\w{{0,20}}>|\[/?(?:INST|SQL|END|EOS|SEP|PAD)\]", re.IGNORECASE
)
_OPENING = ("<sql>", "<query>", "<answer>", "<code>", "[sql]")
_LEADING = re.compile(
    rf"[\s\u200b\ufeff]+|<[|｜][^|｜<>\n]{{1,40}}[|｜]>(?:(?:assistant|model)(?=\s|<))?|</?(?:{_TAGS})>|"
    rf"\[INST\](?s:.*?)\[/INST\]|\[/INST\]|\[SQL\]|(?:assistant|model)[ \t]*\n",
    re.IGNORECASE,
)
_THOUGHT = re.compile(r"<(?:think|thinking|reasoning)>", re.IGNORECASE)
_END_OF_THOUGHT = re.compile(
    r"</(?:think|thinking|thought|reasoning)>|<\|end_of_thought\|>|\bfinal<\|message\|>", re.IGNORECASE
)
_FENCE = re.compile(r"```|~~~")
_LANGUAGE = re.compile(
    r"[ \t]{0,8}(?:(?:sql\w{0,8}|postgres\w{0,8}|mysql|tsql|bigquery)\b|\w{0,16}[ \t]{0,8}\r?\n)", re.I
)
_LONGEST_JSON = 20_000
_JSON_KEY = re.compile(r'"(?:sql|query|sql_?query|answer|statement|code)"\s*:\s*(?=")', re.IGNORECASE)

_NAME = r"(?:\w+|\"[^\"]*\"|`[^`]*`|\[[^\]]*\])"
_WITH = rf"WITH\s+(?:RECURSIVE\s+)?{_NAME}\s*(?:\([^()]*\)\s*)?AS\s*(?:NOT\s+)?(?:MATERIALIZED\s*)?\("
_QUERY = rf"(?:SELECT\b|VALUES\s*\(|{_WITH})"
_QUERY_WORDS = ("SELECT", "VALUES", "WITH")
_OTHER = (
    r"(?:INSERT\s+(?:INTO|OR)|UPDATE\s+\S+\s+SET|DELETE\s+FROM|REPLACE\s+INTO|TRUNCATE\s+\w|MERGE\s+INTO|"
    r"(?:CREATE|DROP|ALTER)\s+(?:TEMP|TABLE|VIEW|UNIQUE|INDEX|TRIGGER|DATABASE|SCHEMA|VIRTUAL|OR\s+REPLACE|USER)|"
    r"(?:ATTACH|DETACH|VACUUM|REINDEX|ANALYZE|SAVEPOINT|RELEASE|COMMIT|ROLLBACK|BEGIN)(?=\s*(?:;|\Z|\w+\s*(?:;|\Z|')))|"
    r"EXPLAIN\s+(?:QUERY|ANALYZE|SELECT|WITH)|USE\s+\w+\s*;|SET\s+@?\w+\s*=|DECLARE\s+@?\w+|SHOW\s+\w+\s*(?:;|\Z)|"
    r"PRAGMA\s+\w|(?:GRANT|REVOKE)\s+\w+\s+ON|(?:EXEC|EXECUTE)\s+\w+|COPY\s+\w+\s+(?:TO|FROM))"
)
_LABEL = (
    r"(?:\#{1,6}\s{0,4}|>\s{0,4}|[-*]\s{1,4}|\*{1,2}|\d{1,3}[.)]\s{0,4})?"
    r"(?:[A-Za-z][\w ]{0,40}:\s{0,4}(?:\*\*\s{0,4})?|\[SQL\]\s{0,4}|<(?:sql|query|answer|code)>\s{0,4})?"
)
_AT_ONCE = re.compile(rf"(?:\(\s{{0,4}})*(?-i:(?!Select)){_QUERY}", re.IGNORECASE)
_STARTS = re.compile(rf"(?:\(\s{{0,4}})*{_QUERY}", re.IGNORECASE)
_STARTS_OTHER = re.compile(rf"{_LABEL}(?P<sql>{_OTHER})", re.IGNORECASE)
_AT_LINE = re.compile(rf"^[ \t]*{_LABEL}(?P<sql>\(*[ \t]*{_QUERY})", re.IGNORECASE | re.MULTILINE)
_INLINE = re.compile(rf"[:`>]\s{{0,4}}(?P<marked>(?i:{_QUERY}))|\b(?P<loud>SELECT\b|{_WITH})")
_TRIES = 6
"""Places of each kind that are tried for the start of a query when the answer does not begin with it."""

_KEYWORDS = frozenset(
    """ALL AND ANY AS ASC AT BETWEEN BY CASE CAST COLLATE CROSS DESC DISTINCT DIV ELSE END ESCAPE EXCEPT EXISTS FETCH
    FILTER FIRST FOLLOWING FOR FROM FULL GLOB GROUP HAVING ILIKE IN INNER INTERSECT INTERVAL INTO IS ISNULL JOIN LAST
    LATERAL LEFT LIKE LIMIT MATERIALIZED MINUS MOD NATURAL NEXT NOT NOTNULL NULL NULLS OFFSET ON ONLY OR ORDER OUTER
    OVER PARTITION PRECEDING QUALIFY RANGE RECURSIVE REGEXP RIGHT RLIKE ROW ROWS SELECT SEPARATOR SOME THEN TIES TOP
    UNBOUNDED UNION UNIQUE USING VALUES WHEN WHERE WINDOW WITH""".split()  # noqa: SIM905
)
_OPERANDS = {"END", "NULL", "ASC", "DESC", "ONLY", "ROWS", "TIES"}
"""Keywords after which a query may be complete."""
_JOINS_SELECTS = {"UNION", "ALL", "INTERSECT", "EXCEPT", "MINUS", "DISTINCT"}
_NEXT_STATEMENT = re.compile(rf"{_OTHER}|GO\s*(?:\n|\Z)", re.IGNORECASE)
_PROSE = re.compile(r"\(?(\w+)(?:'\w+)?(?:(?<=Here|Note|Then|This|ever),)? (\w+)(?:'\w+)? (\w+)")
_LEAD_INS = {"In", "As", "With", "For", "To", "If", "When", "On", "By", "Since", "And", "Where", "From"}
"""Keywords that start a sentence when they are written so."""
_QUESTIONS = {"What", "Which", "How", "Who", "Whose"}
_ITEM = re.compile(r"\d{1,2}[.)] +\w|[-*>] +[`\w]+,? +\w")
"""The start of an item of a list."""
_END_OF_SENTENCE = re.compile(r"\.(?=\s+[A-Z][a-z']* [a-z]|\s*\Z)")
_LABEL_OF_LINE = re.compile(r"[A-Za-z][\w ]{0,40}:(?=\s)")
_LABELLED = re.compile(
    r"\(?(?:Answer|Explanation|Explain|Question|Results?|Output|Solution|Response|SQL\w{0,8}(?: query)?|Query|Note|"
    r"Table(?: schema)?|Schema|Context|Input|Human|User|Assistant|Example)\s*:(?!:)",
    re.IGNORECASE,
)
_CONTINUES = re.compile(
    r"(?:FROM|WHERE|(?:GROUP|ORDER)\s+BY|HAVING|LIMIT|OFFSET|UNION|INTERSECT|EXCEPT|JOIN|INNER|LEFT|RIGHT|FULL|CROSS|"
    r"NATURAL|ON|AND|OR|SELECT|AS|WINDOW|FETCH|[),])(?:\b|(?<=[),]))",
    re.IGNORECASE,
)
_SCAN = r"""
      (?P<word>[^\W\d]\w*)
    | (?P<blank>\s+)
    | (?P<stop>;|```|~~~|\#{1,6}\s|\*\*|={3,}|>{3,}|(?:\\[nrt]\s{0,4}){1,20}\Z)
    | (?P<operand>%s|"[^"]*(?:""[^"]*)*"|`[^`]*`|\[[^\]\n]{0,128}\]|[\d.]\w*)
    | (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    | (?P<angle><(?:[|｜]|0x|/?[A-Za-z]))
    | (?P<open>['"`])
    | (?P<mark>.)
"""
_TOKENS = re.compile(_SCAN % r"'[^']*(?:''[^']*)*'", re.VERBOSE | re.DOTALL)
_TOKENS_WITH_ESCAPES = re.compile(_SCAN % r"'(?:[^'\\]|''|\\.)*'", re.VERBOSE | re.DOTALL)
"""The same, but a backslash escapes an apostrophe, as in MySQL."""


def extract_sql(answer: str) -> str:
    """The first SQL statement of a raw model answer, without its semicolon; an empty string when there is none.

    A statement that is no query (such as ``DROP TABLE``) is returned too: refusing it is the judge's affair.
    """
    text = _without_leading_marks(bounded(answer))
    sql = _statement(text, 0) if _AT_ONCE.match(text) else ""
    if "<" in text:
        *_, thought = (None, *_END_OF_THOUGHT.finditer(text, len(sql)))
        if thought is not None:
            return extract_sql(text[thought.end() :]) or sql
        if _THOUGHT.match(text):
            return ""
    return sql or _somewhere(text)


def first_statement(sql: str) -> str:
    """The text up to the first semicolon that stands outside of quotes and comments."""
    sql = bounded(sql)
    if ";" not in sql:
        return sql.strip()
    for token in tokens(sql):
        if token.kind == "mark" and token.text == ";":
            return sql[: token.start].strip()
    return sql.strip()


def other_command(sql: str) -> str:
    """The word that starts a statement of another kind, such as ``CREATE``; an empty string for a query."""
    if sql[:7].upper() == "SELECT ":
        return ""
    first = next((token for token in meaningful(sql) if token.text != "("), None)
    return first.word if first and first.word not in _QUERY_WORDS else ""


def looks_like_sql(sql: str) -> bool:
    """Whether the text parses as one query, in SQLite's dialect or in one of those that the judge translates."""
    from tinkersql.equivalence.dialects import parse_any

    return parse_any(sql) is not None


def _without_leading_marks(answer: str) -> str:
    """The answer without the blanks, special tokens, tags and comments that stand before it."""
    position = 0
    while found := _LEADING.match(answer, position):
        position = found.end()
    text = answer[position:].rstrip(_BLANKS)
    if text.startswith(("--", "/*")):
        first = next(meaningful(text), None)
        return text[first.start :] if first else ""
    return text


def _somewhere(text: str) -> str:
    """The query in a text that begins with something else."""
    blocks = list(_blocks(text))
    for piece in (text, *(text[block : block + _LONGEST_JSON] for block in blocks)):
        if (inside := _in_json(piece)) is not None:
            return extract_sql(inside)
    special = _SPECIAL.search(text)
    while special is not None and special.group().lower() in _OPENING:
        special = _SPECIAL.search(text, special.end())
    end = special.start() if special else len(text)  # the answer ends there
    lines = [found.start("sql") for found in islice(_AT_LINE.finditer(text, 0, end), _TRIES)]
    fenced = [block for block in blocks if block < end and _STARTS.match(text, block)]
    others = [found.start("sql") for place in (0, *blocks) if (found := _STARTS_OTHER.match(text, place))]
    if fenced and fenced[0] <= min(lines, default=end):
        return _statement(text, fenced[0])
    if others and (others[0] not in blocks or not lines):
        return first_statement(text[others[0] :].partition("```")[0])
    marked = [found.start(found.lastgroup or 0) for found in islice(_INLINE.finditer(text, 0, end), _TRIES)]
    return _first_that_parses(text, list(dict.fromkeys((*sorted({*lines, *fenced}), *marked))))


def _first_that_parses(text: str, starts: list[int]) -> str:
    """The first of the statements that start there which parses, else the first."""
    statements = [_statement(text, start) for start in starts]
    if len(statements) < 2:
        return "".join(statements)
    return next((sql for sql in statements if looks_like_sql(sql)), statements[0])


def _blocks(text: str) -> Iterator[int]:
    """Where the first fenced blocks begin, behind the name of the language and comments."""
    for fence in islice(_FENCE.finditer(text), 0, 2 * _TRIES, 2):
        language = _LANGUAGE.match(text, fence.end())
        start = language.end() if language else fence.end()
        first = next(meaningful(text[start : start + 1_000]), None)
        yield start + first.start if first else start


def _in_json(text: str) -> str | None:
    """The query inside a JSON object, if the text is one."""
    key = _JSON_KEY.search(text) if text.lstrip().startswith(("{", "[{")) else None
    if key is None:
        return None
    try:
        value, _ = JSONDecoder(strict=False).raw_decode(text, key.end())
    except (JSONDecodeError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def _statement(text: str, start: int) -> str:
    """The statement that starts there, cut where it ends; quotes or stars around all of it are no part of it."""
    before = text[max(start - 2, 0) : start]
    if before.endswith("`") and before != "``":
        text = text[:start] + text[start:].partition("`")[0]
    elif before[-1:] in ('"', "'", "*") and before != "**" and text.rstrip(";").endswith(before[-1]):
        text = text.rstrip(";")[:-1]
    end = _end(text, start, _TOKENS)
    if end is None and before[-1:] in ('"', "'") and text.count(before[-1], start) % 2:
        return text[start:].rpartition(before[-1])[0].rstrip(_BLANKS + before[-1])
    if end is None and "\\'" in text:
        end = _end(text, start, _TOKENS_WITH_ESCAPES)
    return text[start:end].strip(_BLANKS)


def _end(text: str, start: int, pattern: re.Pattern[str]) -> int | None:
    """Where the statement ends: at a mark, a further statement or prose; None when a quote stays open."""
    depth = selects = 0
    complete = new_line = False  # whether the query may end here, and whether a line starts here
    previous = ""
    for token in pattern.finditer(text, start):
        kind, here = token.lastgroup, token.start()
        if kind == "blank":
            lines = token.group().count("\n")
            new_line = new_line or lines > 0
            if lines > 1 and complete and depth <= 0 and not _CONTINUES.match(text, token.end()):
                return here
            continue
        if kind == "comment":
            if new_line and token.group().startswith("---"):
                return here
            continue
        if kind == "stop" or (kind in ("angle", "operand") and complete and _SPECIAL.match(text, here)):
            return here
        if kind == "open":
            return None
        if kind == "word":
            word = token.group().upper()
            other = word not in _KEYWORDS
            if complete and depth <= 0 and (other or token.group() in _LEAD_INS) and _runs_on(text, here, new_line):
                return here
            if word == "SELECT" and depth <= 0:
                if selects and previous not in _JOINS_SELECTS and (complete or new_line):
                    return here
                selects += 1
            complete, previous = other or word in _OPERANDS, word
        else:
            if complete and depth <= 0:
                if (new_line and _ITEM.match(text, here)) or _END_OF_SENTENCE.match(text, here):
                    return here
                if not previous and text[here] == "(" and _runs_on(text, here, new_line):
                    return here
            if kind == "mark":
                depth += {"(": 1, ")": -1}.get(token.group(), 0)
            complete, previous = kind != "mark" or token.group() in ")*", ""
        new_line = False
    return len(text)


def _runs_on(text: str, start: int, new_line: bool) -> bool:
    """Whether what starts here is a label, another statement, or prose: a capital and words in a row as in no query."""
    prose = _PROSE.match(text, start)
    if prose is not None and (text[start].isupper() or text[start] == "("):
        first, *others = prose.groups()
        words = others if first in _LEAD_INS else [first, others[0]] if new_line else [first, *others]
        if (new_line and first in _QUESTIONS) or not any(word.upper() in _KEYWORDS for word in words):
            return True
    if new_line and _LABEL_OF_LINE.match(text, start):
        return True
    return bool(_LABELLED.match(text, start) or _NEXT_STATEMENT.match(text, start))
