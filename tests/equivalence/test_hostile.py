"""Predictions that attack: each ends in a verdict that is no match, writes nothing, and leaves the next pair alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from probes import CONTROLS, ENDLESS, GOLD, LIMITED, LONG, MANY, SCHEMA, doubling, probes

from tinkersql.equivalence import Verdict, client, compare, compare_many

FAILURES = ("the judge failed", "of its process")


def test_probes_end_write_nothing_and_leave_the_next_pair_alone(tmp_path):
    attacks = probes(tmp_path)
    pairs = [pair for attack in attacks.values() for pair in ((SCHEMA, GOLD, attack), *CONTROLS)]
    answers = iter(list(compare_many(pairs, workers=1)))
    undisturbed = [compare(*pair) for pair in CONTROLS]
    assert [answer.verdict for answer in undisturbed] == [Verdict.DIFFERENT, Verdict.MATCH, Verdict.DIFFERENT]
    for name in attacks:
        answer = next(answers)
        assert answer.verdict is not Verdict.MATCH, name
        assert not any(part in answer.reason for part in FAILURES), name
        assert [next(answers) for _ in CONTROLS] == undisturbed, name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "predicted", ["SELECT SUM(9223372036854775807) FROM products", f"{GOLD} AND 1 / id", "SELECT 1"]
)
def test_an_answer_does_not_depend_on_the_pairs_before(predicted):
    pair = (SCHEMA, GOLD, predicted)
    alone = next(compare_many([pair]))
    for before in (GOLD.replace("3", "4"), "SELECT COUNT(id) FROM products WHERE NOT (price <= 3)", "SELECT nothing"):
        assert list(compare_many([(SCHEMA, GOLD, before), pair]))[1] == alone


@pytest.mark.parametrize(
    "attack",
    [
        f"{ENDLESS} SELECT COUNT(*) FROM r",
        f"SELECT COUNT(*) FROM {MANY}",
        "SELECT length(hex(zeroblob(900000000)))",
        f"{GOLD} AND (SELECT length(group_concat(p0.name)) FROM {MANY}) IS NOT 0",
        "SELECT printf('%.*c', 900000000, 'x')",
        "SELECT " + "x" * 1_000_000,
        f"{ENDLESS} SELECT i FROM r",
        f"{ENDLESS} SELECT {LONG} FROM r",
        f"{GOLD} AND name LIKE trim('a', {LONG})",
        f"{GOLD} AND (" + " OR ".join(["name LIKE 'a%'"] * 120) + ")",
        doubling(9, "SELECT id FROM {0} UNION ALL SELECT id FROM {0}"),
    ],
)
def test_runaway_predictions_are_over_budget(attack):
    assert compare(SCHEMA, GOLD, attack).verdict is Verdict.PREDICTION_OVER_BUDGET


def test_the_databases_of_one_prediction_share_a_budget():
    a_little = f"{LIMITED.format(100)} {GOLD} AND (SELECT COUNT(*) FROM r) > 0"
    much = a_little.replace("100)", "6000)")  # still within the budget of one execution
    assert compare(SCHEMA, GOLD, a_little).verdict is Verdict.MATCH
    assert compare(SCHEMA, GOLD, much).verdict is Verdict.PREDICTION_OVER_BUDGET
    assert compare(SCHEMA, much, GOLD).verdict is Verdict.MATCH


def test_thoughts_of_any_length_do_not_hide_the_answer():
    assert compare(SCHEMA, GOLD, f"<think>{'it is so ' * 100_000}</think>\n{GOLD}").verdict is Verdict.MATCH


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
    "schema",
    [
        *("", "nothing", "CREATE TABLE", "CREATE TABLE t", "DROP TABLE t", "(" * 10_000, "\ud800"),
        *("CREATE TABLE sqlite_x (a)", 'CREATE TABLE t ("a\0b" INTEGER)', 'CREATE TABLE t ("\ud800" INTEGER)'),
    ],
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
