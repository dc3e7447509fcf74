"""Predictions that attack: each ends in a verdict that is no match, writes nothing, and leaves the next pair alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tinkersql.equivalence import Verdict, client, compare, compare_many

SCHEMA = "CREATE TABLE products (id INTEGER, name VARCHAR, price REAL)"
GOLD = "SELECT COUNT(*) FROM products WHERE price > 3"
MANY = ", ".join(f"products AS p{number}" for number in range(20))
ENDLESS = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r)"


def probes(folder: Path) -> list[str]:
    return [
        # other databases and files
        f"ATTACH DATABASE '{folder}/a.db' AS other",
        f"VACUUM INTO '{folder}/b.db'",
        f"SELECT writefile('{folder}/c.txt', 'x')",
        "SELECT readfile('/etc/hostname')",
        f"SELECT edit('{folder}/d.txt')",
        "SELECT load_extension('evil.so')",
        f"SELECT load_extension('{folder}/evil.so', 'init')",
        f".output {folder}/e.txt",
        f".shell touch {folder}/f.txt",
        f"COPY products TO '{folder}/g.csv'",
        f"SELECT * FROM products INTO OUTFILE '{folder}/h.csv'",
        f"CREATE VIRTUAL TABLE v USING fts5(x, content='{folder}/i.db')",
        f"SELECT * FROM products; ATTACH '{folder}/j.db' AS k",
        "DETACH DATABASE main",
        # the schema and the data
        "DROP TABLE products",
        "DELETE FROM products",
        "DELETE FROM products RETURNING COUNT(*)",
        "INSERT INTO products VALUES (1, 'a', 1) RETURNING 1",
        "UPDATE products SET price = 0",
        "REPLACE INTO products VALUES (1, 'x', 2)",
        "CREATE TABLE x AS SELECT * FROM products",
        "CREATE TEMP TABLE products (id)",
        "CREATE VIEW products2 AS SELECT 1",
        "CREATE TRIGGER g AFTER INSERT ON products BEGIN SELECT 1; END",
        "ALTER TABLE products RENAME TO q",
        "WITH x AS (SELECT 1) DELETE FROM products",
        "WITH x AS (SELECT 1) INSERT INTO products SELECT 1, 2, 3",
        "SELECT * FROM sqlite_master",
        "SELECT COUNT(*) FROM sqlite_schema",
        "SELECT COUNT(*) FROM sqlite_temp_master",
        "SELECT COUNT(*) FROM main.sqlite_master",
        "SELECT COUNT(*) FROM pragma_table_info('products')",
        "SELECT COUNT(*) FROM pragma_database_list",
        "SELECT COUNT(*) FROM json_each('[1, 2]')",
        "SELECT COUNT(*) FROM dbstat",
        "PRAGMA writable_schema=ON",
        "PRAGMA hard_heap_limit=0",
        "PRAGMA table_info(products)",
        "EXPLAIN SELECT COUNT(*) FROM products",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT a",
        "REINDEX",
        "ANALYZE",
        "VACUUM",
        # time and memory
        f"{ENDLESS} SELECT COUNT(*) FROM r",
        f"{ENDLESS} SELECT i FROM r",
        f"{ENDLESS} SELECT group_concat(i) FROM r",
        f"SELECT COUNT(*) FROM {MANY}",
        f"SELECT COUNT(DISTINCT p0.name || p1.name) FROM {MANY}",
        f"SELECT length(group_concat(p0.name)) FROM {MANY}",
        "SELECT length(hex(zeroblob(900000000)))",
        "SELECT COUNT(*) FROM products WHERE length(randomblob(900000000)) > 0",
        "SELECT printf('%900000000d', 1)",
        "SELECT printf('%.*c', 900000000, 'x')",
        "SELECT \"printf\" ('%.' || '900000000' || 'c', 'x')",
        "SELECT format(name, 900000000, 'x') FROM products",
        "SELECT trim(printf('%.9000c', 'x'), printf('%.9000c', 'y') || 'x') FROM products",
        "SELECT replace(replace(printf('%.50000c', 'x'), 'x', printf('%.50000c', 'y')), 'y', 'zz')",
        "WITH RECURSIVE d(s) AS (SELECT 'ab' UNION ALL SELECT s || s FROM d) SELECT length(s) FROM d",
        "SELECT COUNT(*) FROM products WHERE name LIKE '" + "%a" * 400 + "'",
        "SELECT " + "(" * 3000 + "1" + ")" * 3000,
        "SELECT " + "NOT " * 5000 + "1",
        "SELECT " + "-" * 999 + "1",
        "SELECT 1" + " + 1" * 40000,
        "SELECT 1" + " UNION SELECT 1" * 2000,
        "SELECT COUNT(*) FROM products WHERE id IN (" + ", ".join(map(str, range(30000))) + ")",
        "SELECT '" + "x" * 1_000_000 + "'",
        "SELECT " + ", ".join("id" for _ in range(3000)) + " FROM products",
        "SELECT " + "CASE WHEN 1 THEN " * 500 + "1" + " END" * 500,
        "SELECT * FROM " + "(SELECT * FROM " * 200 + "products" + ")" * 200,
        # chance, clock and characters
        "SELECT random()",
        "SELECT sqlite_version()",
        "SELECT last_insert_rowid()",
        "SELECT changes()",
        "SELECT COUNT(*) FROM products\0 WHERE 1",
        "SELECT '\ud800' FROM products",
        "\ud800\udfff",
        "SELECT \x1b[31mid FROM products",
        "SELECT /* unclosed",
        "SELECT 'unclosed",
        ";;;;",
        "",
    ]


def test_probes_end_write_nothing_and_leave_the_next_pair_alone(tmp_path):
    attacks = probes(tmp_path)
    pairs = [pair for attack in attacks for pair in ((SCHEMA, GOLD, attack), (SCHEMA, GOLD, GOLD.replace("3", "4")))]
    answers = list(compare_many(pairs, workers=1))
    undisturbed = compare(SCHEMA, GOLD, GOLD.replace("3", "4"))
    assert undisturbed.verdict is Verdict.DIFFERENT
    for attack, answer, following in zip(attacks, answers[::2], answers[1::2], strict=True):
        assert answer.verdict is not Verdict.MATCH, attack[:80]
        assert following == undisturbed, attack[:80]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "attack",
    [
        f"{ENDLESS} SELECT COUNT(*) FROM r",
        f"SELECT COUNT(*) FROM {MANY}",
        "SELECT length(hex(zeroblob(900000000)))",
        f"{GOLD} AND (SELECT length(group_concat(p0.name)) FROM {MANY}) IS NOT 0",
        "SELECT printf('%.*c', 900000000, 'x')",
        "SELECT " + "x" * 1_000_000,
    ],
)
def test_runaway_predictions_are_over_budget(attack):
    assert compare(SCHEMA, GOLD, attack).verdict is Verdict.PREDICTION_OVER_BUDGET


@pytest.mark.parametrize(
    ("answer", "command"),
    [
        ("CREATE TABLE x AS SELECT * FROM products", "CREATE"),
        ("```sql\n-- add one\ninsert into products VALUES (1, 'a', 1) RETURNING 1\n```", "INSERT"),
        ("EXPLAIN SELECT COUNT(*) FROM products", "EXPLAIN"),
    ],
)
def test_a_statement_of_another_kind_is_called_so(answer, command):
    answered = compare(SCHEMA, GOLD, answer)
    assert answered.verdict is Verdict.PREDICTION_ERROR
    assert answered.reason == f"the prediction is no query (it starts with {command})"


@pytest.mark.parametrize("sql", [f"({GOLD})", f"WITH p AS (SELECT * FROM products) {GOLD}", "VALUES (1)"])
def test_a_query_of_another_form_is_a_query(sql):
    assert "no query" not in compare(SCHEMA, GOLD, sql).reason


@pytest.mark.parametrize("gold", ["DROP TABLE products", f"{ENDLESS} SELECT COUNT(*) FROM r", "", "\0", "\ud800"])
def test_a_hostile_gold_is_the_golds_fault(gold):
    assert compare(SCHEMA, gold, GOLD).verdict is Verdict.GOLD_ERROR


@pytest.mark.parametrize(
    "schema", ["", "nothing", "CREATE TABLE", "CREATE TABLE t", "DROP TABLE t", "(" * 10_000, "\ud800"]
)
def test_a_schema_without_tables_is_the_golds_fault(schema):
    assert compare(schema, GOLD, GOLD).verdict is Verdict.GOLD_ERROR


def test_a_killed_worker_is_replaced_and_the_pair_judged():
    answer = compare(SCHEMA, GOLD, GOLD)
    process = client._shared._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert compare(SCHEMA, GOLD, GOLD) == answer


def test_workers_end_with_their_parent():
    script = (
        "import os, signal\n"
        "from tinkersql.equivalence import client, compare\n"
        f"compare({SCHEMA!r}, {GOLD!r}, {GOLD!r})\n"
        "print(client._shared._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    worker = int(done.stdout)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _runs(worker):
        time.sleep(0.05)
    assert not _runs(worker)


def _runs(pid: int) -> bool:
    """Whether a process is alive; one that has ended but was not collected is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
