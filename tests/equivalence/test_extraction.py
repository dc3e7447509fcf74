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
        # end markers, tags and tokens of several model families
        f"{SQL}<|eot_id|>",
        f"{SQL}<|im_",
        f"{SQL}</s></s></s>",
        f"{SQL}<end_of_turn>",
        f"{SQL}<unk>",
        f"{SQL}<br>",
        f"{SQL}<0x0A>",
        f"{SQL} [/INST] yes",
        f"{SQL} [EOS]",
        f"{SQL}<｜end▁of▁sentence｜>",
        f"{SQL}\n>>> ",
        f"{SQL}\\n",
        f"<s>[INST] names? [/INST] {SQL}</s>",
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{SQL}<|eot_id|>",
        f"\ufeff\u200b{SQL}\u00a0",
        f"[SQL]\n{SQL}\n[/SQL]",
        f"<sql>\n{SQL}\n</sql>\nDone.",
        f"<answer>{SQL};</answer>",
        f"<thinking>\nSELECT it all? No.\n</thinking>\n<answer>{SQL}</answer>",
        f"The names, so SELECT.</think>{SQL}",
        f"<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>{SQL}<|return|>",
        # code fences, code spans, JSON, program text
        f"~~~sql\n{SQL}\n~~~",
        f"```postgresql\n{SQL};\n```",
        f"```python\nprint('hello')\n```\nthen\n```sql\n{SQL}\n```",
        f"The schema is\n```\nCREATE TABLE t (age INTEGER)\n```\nand the query\n```sql\n{SQL}\n```",
        f"The query is `{SQL}`.",
        f"Final answer: `{SQL};` as asked",
        f'"{SQL}"',
        f"*{SQL}*",
        f"**{SQL}**",
        f'{{"sql": "{SQL}", "why": "it\'s so"}}',
        f'```json\n{{"query": "{SQL};"}}\n```',
        f'cursor.execute("{SQL}")',
        f'```python\nquery = """{SQL}"""\n```',
        # prose and labels before the query
        f"Step 1: select the name from t.\n{SQL}",
        f"Select the names: {SQL}",
        f"With this in mind, the query is\n{SQL}",
        f"1. Look at t.\n2. Filter by age.\n\n{SQL}",
        f"Q: which names?\nA: {SQL}\nQ: and then?",
        f"sqlite> {SQL};",
        f"# the names\n{SQL}",
        # prose, lists and further text after it
        f"{SQL}\nThis query selects the names.",
        f"{SQL} This query selects the names.",
        f"{SQL}. This gives the names.",
        f"{SQL} (this returns the names)",
        f"{SQL}\nIn this query, we select the names.",
        f"{SQL}\nHere, we select the names.",
        f"{SQL}\nNote that ages aren't negative",
        f"{SQL}\nLet me know if it's wrong!",
        f"{SQL}\nWhat is the name of the eldest?",
        f"{SQL}\n1. The names are taken",
        f"{SQL}\n\n* `SELECT name`: the name",
        f"{SQL}\n\n(Note: ages are numbers.)",
        f"{SQL}\nSQLResult: 5",
        f"{SQL}\nTable: t",
        f"{SQL} CREATE TABLE u (id INTEGER)",
        f"{SQL}\nGO\n",
        f"{SQL} {SQL} {SQL}",
        f"{SQL}\n\n{SQL}",
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
        "SELECT a FROM t x, u y, v z WHERE x.a = y.a",
        "SELECT a\nFROM t\nx WHERE x.a = 1",
        "SELECT a b, c d FROM t AS x LEFT OUTER JOIN u AS y ON x.a = y.a",
        "SELECT t . a FROM t AS x JOIN u AS y ON x . a = y . a",
        "SELECT a FROM t WHERE c = '</s>' AND d = '<|im_end|>'",
        "SELECT a FROM t WHERE c = 'x [/INST] y' AND d = '</think>'",
        "SELECT a FROM t WHERE c = '```' AND d = '### Answer: 5'",
        "SELECT a FROM t WHERE c = 'a -- b' AND d = '/* e */'",
        "SELECT a FROM t WHERE c = 'one\n\ntwo; three' AND d = 'SELECT 1'",
        "SELECT a FROM t WHERE c = 'O\\'Brien' AND d = 'x'",
        "SELECT a FROM t WHERE b < c AND a<b",
        "SELECT [End], [SQL], [Order Details].a FROM [Order Details]",
        "SELECT a FROM t WHERE b IS NULL GROUP BY a HAVING COUNT(*) > 1 ORDER BY a DESC NULLS LAST LIMIT 5 OFFSET 2",
        "SELECT a AT TIME ZONE 'UTC' FROM t ORDER BY a OFFSET 2 ROWS FETCH NEXT 3 ROWS ONLY",
        "SELECT CASE WHEN a > 1 THEN 'x' ELSE 'y' END grade FROM t",
    ],
)
def test_the_query_is_kept_whole(sql):
    assert extract_sql(sql) == sql


@pytest.mark.parametrize(
    "answer",
    [
        *("", " \n", "-- nothing\n;", "I cannot say.", "The table does not hold this.", "```\n```"),
        *("5", "NULL", "name FROM t", "<think>perhaps SELECT a FROM t", "\0", "\ud800"),
    ],
)
def test_nothing_is_found_in(answer):
    assert extract_sql(answer) == ""


@pytest.mark.parametrize(
    ("answer", "statement"),
    [
        ("DROP TABLE t; SELECT 1", "DROP TABLE t"),
        ("```sql\nDELETE FROM t\n```", "DELETE FROM t"),
        ("SQL: UPDATE t SET a = 1; SELECT a FROM t", "UPDATE t SET a = 1"),
        ("USE shop; SELECT a FROM t", "USE shop"),
        ("CREATE VIEW v AS SELECT a FROM t; SELECT a FROM v", "CREATE VIEW v AS SELECT a FROM t"),
    ],
)
def test_statements_that_are_no_queries_are_found_for_the_judge_to_refuse(answer, statement):
    assert extract_sql(answer) == statement


@pytest.mark.parametrize(
    ("answer", "sql"),
    [
        ("Create a query with a filter:\n\nSELECT a FROM t", "SELECT a FROM t"),
        ("Use the table t.\nSELECT a FROM t", "SELECT a FROM t"),
        ("```sql\nSELECT a FROM t\n```\nNo:\n```sql\nSELECT b FROM t\n```", "SELECT a FROM t"),
        ("SELECT a FROM t WHERE b =\n", "SELECT a FROM t WHERE b ="),
        ("SELECT a FROM t WHERE (b = 1", "SELECT a FROM t WHERE (b = 1"),
        ("SELECT a FROM t WHERE b = 'x y' y and more", "SELECT a FROM t WHERE b = 'x y' y and more"),
        ("SELECT a FROM t WHERE b = 'x y' x y z", "SELECT a FROM t WHERE b = 'x y' x y z"),
        ("SELECT a FROM t WHERE b = 'it's'", "SELECT a FROM t WHERE b = 'it's'"),
        ("SELECT a FROM t WHERE b = 'O\\'Dea'\n```\nmore", "SELECT a FROM t WHERE b = 'O\\'Dea'"),
    ],
)
def test_the_first_statement_counts_and_nothing_is_repaired(answer, sql):
    assert extract_sql(answer) == sql


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
