"""Random schemas, golds and answers: every pair gets an honest verdict, whatever stands in it.

Each example is a list of pairs, so that one process judges thousands of them; the answers must not fail, must not end
the process, and must be true: a difference replays, and a query never differs from itself.
"""

import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinkersql.equivalence import Assumptions, Verdict, Witness
from tinkersql.equivalence.client import Pair, Worker
from tinkersql.equivalence.sandbox import jsonable

SCHEMA = (
    "CREATE TABLE teams (id INTEGER PRIMARY KEY, name VARCHAR, town VARCHAR, founded DATE); "
    "CREATE TABLE games (id INTEGER, team_id INTEGER, score INTEGER, rate REAL, ground VARCHAR)"
)
GOLDS = [
    "SELECT name FROM teams WHERE town = 'Bath'",
    "SELECT COUNT(*) FROM games WHERE score > 3 AND ground LIKE 'N%'",
    "SELECT t.name, AVG(g.rate) FROM teams AS t JOIN games AS g ON g.team_id = t.id GROUP BY t.id HAVING COUNT(*) > 1",
    "SELECT name FROM teams WHERE id NOT IN (SELECT team_id FROM games WHERE score IS NULL)",
    "SELECT ground FROM games ORDER BY rate DESC, score LIMIT 1",
    "SELECT town FROM teams UNION SELECT ground FROM games WHERE rate BETWEEN 0.5 AND 2",
    "SELECT CASE WHEN score > 3 THEN 'high' ELSE 'low' END, COUNT(DISTINCT team_id) FROM games GROUP BY 1",
    "SELECT strftime('%Y', founded), MAX(name) FROM teams GROUP BY strftime('%Y', founded)",
    "WITH best AS (SELECT team_id, MAX(score) AS top FROM games GROUP BY team_id) SELECT name, top FROM teams, best "
    "WHERE best.team_id = teams.id",
    "SELECT name, RANK() OVER (PARTITION BY town ORDER BY founded) FROM teams",
]
PIECES = r"""SELECT FROM WHERE AND OR NOT NULL IS IN EXISTS BETWEEN LIKE GLOB ESCAPE CASE WHEN THEN ELSE END
    GROUP BY ORDER HAVING LIMIT OFFSET DISTINCT ALL UNION INTERSECT EXCEPT JOIN LEFT RIGHT FULL CROSS NATURAL INNER
    OUTER ON USING AS ASC DESC NULLS FIRST LAST WITH RECURSIVE MATERIALIZED VALUES OVER PARTITION ROWS RANGE GROUPS
    PRECEDING FOLLOWING CURRENT ROW UNBOUNDED EXCLUDE TIES FILTER WINDOW COLLATE NOCASE CAST INTEGER TEXT REAL BLOB
    COUNT SUM AVG MIN MAX TOTAL group_concat abs round length lower upper substr replace trim instr printf coalesce
    nullif iif typeof hex quote date strftime julianday random TOP ILIKE CONCAT YEAR INTERVAL DATE_TRUNC
    CURRENT_DATE teams games t g x id name town founded team_id score rate ground rowid sqlite_master ( ) ( ) , , .
    . * + - / % || = == <> != < > <= >= & | ~ << >> ; ? :a @b $c 0 1 2 3 -1 1.5 1e308 9223372036854775807 0x1F ''
    'Bath' 'N%' '%' '_' 'it''s' "Bath" "name" `name` [name] x'00ff' 'é' '😀' -- /* */ ' " ` [ ] \ # ``` <|im_end|>
    </s> <think> </think> SQL: Answer: {""".split()  # noqa: SIM905
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
PAIRS = 16
"""In one example."""

names = st.sampled_from(["id", "name", "town", "founded", "score", "rate", "team_id", "ground"])
words = st.sampled_from(PIECES)


@st.composite
def altered(draw) -> str:
    """A gold in which some tokens are dropped, doubled, exchanged or replaced."""
    tokens = draw(st.sampled_from(GOLDS)).replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split(" ")
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(tokens) - 1))
        kind = draw(st.integers(0, 4))
        if kind == 0 and len(tokens) > 1:
            del tokens[place]
        elif kind == 1:
            tokens.insert(place, tokens[place])
        elif kind == 2:
            other = draw(st.integers(0, len(tokens) - 1))
            tokens[place], tokens[other] = tokens[other], tokens[place]
        elif kind == 3:
            tokens[place] = draw(words)
        else:
            tokens.insert(place, draw(words))
    return " ".join(tokens)


texts = st.one_of(
    st.lists(words, max_size=25).map(" ".join),
    st.lists(words, max_size=25).map(lambda found: "SELECT " + " ".join(found)),
    st.text(max_size=60),
    st.text(st.characters(categories=["Cs", "Cc", "Cf", "Zs", "Lo", "Po"]), max_size=60).map("SELECT ".__add__),
    st.binary(max_size=60).map(lambda data: data.decode("utf-8", "surrogateescape")),
    st.binary(max_size=60).map(lambda data: "SELECT '" + data.decode("latin-1") + "' FROM teams"),
)

literals = st.one_of(
    st.sampled_from(
        ["0", "1", "3", "0.5", "-2", "'Bath'", "'N%'", "'2020-01-01'", "NULL", "''", "'it''s'", "1e300", "x'41'"]
    ),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.text(st.characters(exclude_characters="'\0", exclude_categories=["Cs"]), max_size=8).map("'{}'".format),
)
tables = st.sampled_from(["teams", "games"])
BINARY = "+ - * / % || = <> < >= AND OR IS LIKE GLOB & <<".split()  # noqa: SIM905
UNARY = ["-{}", "NOT {}", "~{}", "{} IS NULL", "{} COLLATE NOCASE", "CAST({} AS TEXT)", "CAST({} AS INTEGER)"]
ONE = "abs length lower typeof hex round date trim unicode quote".split()  # noqa: SIM905
TWO = "substr coalesce nullif instr round MIN ifnull printf strftime replace".split()  # noqa: SIM905
AGGREGATES = ["COUNT({})", "COUNT(DISTINCT {})", "SUM({})", "AVG({})", "MAX({})", "group_concat({}, '/')", "COUNT(*)"]
WINDOWS = ["PARTITION BY {}", "ORDER BY {}", "ORDER BY {} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW"]


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions made of others, without aggregates."""
    return st.one_of(
        st.tuples(inner, st.sampled_from(BINARY), inner).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(st.sampled_from(UNARY), inner).map(lambda pair: f"({pair[0].format(pair[1])})"),
        st.tuples(st.sampled_from(ONE), inner).map("{0[0]}({0[1]})".format),
        st.tuples(st.sampled_from(TWO), inner, inner).map("{0[0]}({0[1]}, {0[2]})".format),
        st.tuples(inner, inner, inner).map("CASE WHEN {0[0]} THEN {0[1]} ELSE {0[2]} END".format),
        st.tuples(inner, inner, inner).map("({0[0]} BETWEEN {0[1]} AND {0[2]})".format),
        st.tuples(inner, st.lists(literals, max_size=3)).map(lambda pair: f"({pair[0]} IN ({', '.join(pair[1])}))"),
        st.tuples(names, tables, inner).map("(SELECT {0[0]} FROM {0[1]} WHERE {0[2]} LIMIT 1)".format),
        st.tuples(inner, names, tables).map("({0[0]} NOT IN (SELECT {0[1]} FROM {0[2]}))".format),
    )


expressions = st.recursive(st.one_of(names, names, literals), larger, max_leaves=5)
aggregates = st.tuples(st.sampled_from(AGGREGATES), expressions).map(lambda pair: pair[0].format(pair[1]))
windows = st.tuples(aggregates, st.sampled_from(WINDOWS), names).map(
    lambda found: f"{found[0].replace('DISTINCT ', '')} OVER ({found[1].format(found[2])})"
)
items = st.one_of(expressions, expressions, aggregates, windows)


@st.composite
def selects(draw, depth: int = 2) -> str:
    """A SELECT of a small grammar: joins, derived tables, set operations and common table expressions."""
    selected = ", ".join(draw(st.lists(items, min_size=1, max_size=2)))
    source = draw(tables)
    if depth and draw(st.integers(0, 3)) == 0:
        source = f"({draw(selects(depth - 1))}) AS d"
    if draw(st.integers(0, 2)) == 0:
        join = draw(st.sampled_from(["JOIN", "LEFT JOIN", "FULL JOIN", "NATURAL JOIN", ","]))
        source += f" {join} {draw(tables)} AS o"
        if join.endswith("JOIN") and not join.startswith("NATURAL"):
            source += f" ON {draw(expressions)}"
    sql = f"SELECT {draw(st.sampled_from(['', 'DISTINCT ']))}{selected} FROM {source}"
    if draw(st.booleans()):
        sql += f" WHERE {draw(expressions)}"
    if draw(st.integers(0, 2)) == 0:
        sql += f" GROUP BY {draw(expressions)}"
        sql += f" HAVING {draw(st.one_of(expressions, aggregates))}" if draw(st.booleans()) else ""
    if depth and draw(st.integers(0, 3)) == 0:
        sql += f" {draw(st.sampled_from(['UNION', 'UNION ALL', 'INTERSECT', 'EXCEPT']))} {draw(selects(0))}"
    if draw(st.integers(0, 2)) == 0:
        sql += f" ORDER BY {draw(st.sampled_from(['1', '1 DESC', '2', 'name', 'score DESC NULLS LAST']))}"
        sql += f" LIMIT {draw(st.integers(-1, 5))}" if draw(st.booleans()) else ""
    if depth and draw(st.integers(0, 4)) == 0:
        sql = f"WITH d AS ({draw(selects(0))}) {sql}"
    return sql


@st.composite
def schemas(draw) -> str:
    """CREATE TABLE statements with any names and types, sound or broken."""
    name = st.one_of(
        st.sampled_from(
            ["id", "order", "Group", "a b", "x", "größe", "名", "1st", "select", "t_id", "", "value%", "null"]
        ),
        st.text(max_size=6),
    )
    kind = st.sampled_from(
        ["INTEGER", "VARCHAR", "VARCHAR(20)", "REAL", "DATE", "DECIMAL(5, 2)", "", "BLOB", "bool", "INT[]"]
    )
    rest = st.sampled_from(
        ["", " PRIMARY KEY", " NOT NULL", " UNIQUE", " DEFAULT 'a,b'", " CHECK (x > 1)", " REFERENCES t (id)"]
    )
    quote = st.sampled_from(['"{}"', "{}", "`{}`", "[{}]", "'{}'"])
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        columns = [f"{draw(quote).format(draw(name))} {draw(kind)}{draw(rest)}" for _ in range(draw(st.integers(0, 4)))]
        parts.append(f"CREATE TABLE {draw(quote).format(draw(name))} ({', '.join(columns)})")
    text = draw(st.sampled_from(["; ", " ", ";\n-- next\n"])).join(parts)
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 5)) == 0 else text


def batches(pairs: st.SearchStrategy[tuple[str, str, str]]) -> st.SearchStrategy[list[tuple[str, str, str]]]:
    """Lists of pairs of one length, so that the number of examples says how many inputs there were."""
    return st.lists(pairs, min_size=PAIRS, max_size=PAIRS)


golds = st.sampled_from(GOLDS)
own_queries = st.sampled_from(["SELECT * FROM t", "SELECT COUNT(*) FROM id", "SELECT id FROM x", 'SELECT x FROM "a b"'])
KINDS = {
    "altered golds": st.tuples(st.just(SCHEMA), golds, altered()),
    "any text": st.tuples(st.just(SCHEMA), golds, texts),
    "generated queries": st.tuples(st.just(SCHEMA), st.one_of(golds, selects()), selects()),
    "a query and itself": st.one_of(selects(), altered()).map(lambda sql: (SCHEMA, sql, sql)),
    "any schema": st.tuples(schemas(), own_queries, st.one_of(own_queries, selects())),
}


@pytest.fixture(scope="module")
def worker():
    """One process for all examples: what an input leaves behind in it meets all later ones."""
    worker = Worker()
    yield worker
    worker.close()


def fuzz(worker: Worker, kind: str, examples: int) -> None:
    """Judge that many lists of pairs, each under one of the assumptions."""

    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=SLOW)
    @given(st.lists(KINDS[kind], min_size=PAIRS, max_size=PAIRS), st.sampled_from(list(Assumptions)))
    def holds(pairs: list[Pair], assumptions: Assumptions) -> None:
        for pair, answer in zip(pairs, worker.compare_all(pairs, assumptions), strict=True):
            assert "the judge failed" not in answer.reason, pair
            assert "of the process" not in answer.reason, pair
            assert "of its process" not in answer.reason, pair
            if answer.verdict is Verdict.DIFFERENT:
                assert pair[1] != pair[2]
                replay(answer.witness)

    holds()


def replay(witness: Witness | None) -> None:
    """Run both queries of a witness in plain SQLite; a text that is no text is read as the judge reads it."""
    assert witness is not None
    connection = sqlite3.connect(":memory:")
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    connection.executescript(witness.script)
    for sql, recorded in ((witness.gold_sql, witness.gold_result), (witness.predicted_sql, witness.predicted_result)):
        cursor = connection.execute(sql)
        assert [item[0] for item in cursor.description] == recorded.columns
        assert jsonable(cursor.fetchall()) == recorded.rows
    connection.close()


@pytest.mark.parametrize(("kind", "examples"), [*zip(KINDS, (28, 28, 12, 16, 16), strict=True)])
def test_every_answer_is_honest(worker, kind, examples):
    fuzz(worker, kind, examples)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "examples"), [*zip(KINDS, (400, 400, 130, 190, 190), strict=True)])
def test_every_answer_is_honest_among_twenty_thousand(worker, kind, examples):
    fuzz(worker, kind, examples)
