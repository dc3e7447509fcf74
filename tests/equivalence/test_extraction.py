"""The SQL inside raw model answers."""

import pytest

from tinkersql.equivalence import extract_sql, looks_like_sql

SQL = "SELECT name FROM t WHERE age > 5"


@pytest.mark.parametrize(
    "answer",
    [
        SQL,
        f" {SQL}\n\n",
        f"{SQL};",
        f"{SQL};\n\nQuestion: how many?",
        f"{SQL}\n\nTable schema:\nCREATE TABLE u (id INTEGER)",
        f"{SQL}<|im_end|>",
        f"{SQL}<|end_of_text|><|begin_of_text|>SELECT 1",
        f"{SQL}</s>",
        f"<|assistant|>\n{SQL}<|im_end|>",
        f"```sql\n{SQL}\n```",
        f"```\n{SQL};\n```\nThis query lists the names.",
        f"```sql {SQL}```",
        f"```SQL\n{SQL}",
        f"Here is the query:\n```sql\n{SQL}\n```\nand another\n```sql\nSELECT 2\n```",
        f"`{SQL}`",
        f"SQL: {SQL}",
        f"Answer: {SQL}",
        f"### SQL:\n{SQL}",
        f"**Query:** {SQL}",
        f"1. {SQL}",
        f"Sure! The query is: {SQL}",
        f"Let me think.\n{SQL}",
        f"<think>SELECT 1 would be wrong</think>\n{SQL}",
        f"-- the names\n{SQL}",
        f"/* the names */ {SQL}",
        f"{SQL}\nAnswer: 12\nExplanation: it's the names",
        f"{SQL} Answer: 12",
        f"{SQL}\nSELECT name FROM t",
        f"{SQL}\n\nThe table doesn't hold more.",
        f"{SQL}\n```",
        f"{SQL}\n---\nmore",
        f"{SQL}\n### Explanation",
    ],
)
def test_the_query_is_found(answer):
    assert extract_sql(answer) == SQL


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM notes WHERE body = 'Answer: yes; no' AND author = \"x; -- y\"",
        "SELECT a\n\nFROM t\n\nWHERE b = 1",
        "SELECT a FROM t\nUNION\nSELECT a FROM u",
        "SELECT a FROM t\nUNION ALL\nSELECT a FROM u",
        "WITH m AS (\n  SELECT 1 AS a\n)\nSELECT a FROM m",
        "WITH a AS (SELECT 1), b AS (SELECT 2)\nSELECT * FROM a, b",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT n FROM r",
        "SELECT a FROM t WHERE b IN (\nSELECT b FROM u)",
        "(SELECT a FROM t) UNION (SELECT a FROM u)",
        "SELECT a::int FROM t",
        "select a from t -- a comment; with a semicolon\nwhere b = 1",
        "SELECT 'it''s' FROM t",
        "SELECT a FROM t WHERE c = 'Lee",
    ],
)
def test_the_query_is_kept_whole(sql):
    assert extract_sql(sql) == sql


@pytest.mark.parametrize(
    "answer", ["", " \n", "-- nothing\n;", "I cannot say.", "The table does not hold this.", "```\n```"]
)
def test_nothing_is_found_in(answer):
    assert extract_sql(answer) == ""


def test_statements_that_are_no_queries_are_found_for_the_judge_to_refuse():
    assert extract_sql("DROP TABLE t; SELECT 1") == "DROP TABLE t"


@pytest.mark.parametrize(
    "piece", [" ", "\n", "`", "```", "(", "SELECT ", "a: ", "WITH ", "'", '"', "[", "/*", "-- \n", "</think>"]
)
@pytest.mark.parametrize("start", ["", "```", "SQL:", "SELECT ", "WITH x"])
def test_what_is_found_stands_in_the_answer_however_long_that_is(start, piece):
    answer = start + piece * 40_000 + "x"  # in quadratic time this would take minutes
    assert extract_sql(answer) in answer


@pytest.mark.parametrize(
    "sql", [SQL, "SELECT TOP 3 a FROM t", "WITH m AS (SELECT 1) SELECT * FROM m", "SELECT a::int FROM t"]
)
def test_looks_like_sql(sql):
    assert looks_like_sql(sql)


@pytest.mark.parametrize("text", ["", "hello", "DROP TABLE t", "SELECT FROM WHERE", "SELECT 'x", "a, b", "PRAGMA x"])
def test_does_not_look_like_sql(text):
    assert not looks_like_sql(text)
