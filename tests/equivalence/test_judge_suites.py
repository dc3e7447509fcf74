"""Suites: their mutants, the proofs that some of those mean the same, the certificate, and where suites are kept."""

import json
import os
import threading
import time

import psutil
import pytest

from tinkersql.equivalence import Assumptions, Verdict, compare, compare_many
from tinkersql.equivalence.facts import collect
from tinkersql.equivalence.golds import Gold
from tinkersql.equivalence.instances import Instances
from tinkersql.equivalence.mutant_proofs import RULES, World, proof
from tinkersql.equivalence.mutants import mutants
from tinkersql.equivalence.operators import OPERATORS
from tinkersql.equivalence.results import Outcome, normal_rows, same
from tinkersql.equivalence.sandbox import QueryError, Sandbox
from tinkersql.equivalence.schema import read_schema
from tinkersql.equivalence.store import SuiteStore, suites_folder
from tinkersql.equivalence.suites import Suite, build_suite
from tinkersql.equivalence.worker import DEADLINE

SCHEMA = """
CREATE TABLE boats (id INTEGER PRIMARY KEY, name VARCHAR, harbour_id INTEGER, length REAL, built INTEGER,
  FOREIGN KEY (harbour_id) REFERENCES harbours (id));
CREATE TABLE harbours (id INTEGER PRIMARY KEY, town VARCHAR, berths INTEGER);
CREATE TABLE trips (id INTEGER PRIMARY KEY, boat_id INTEGER, day DATE, miles INTEGER, skipper VARCHAR)
"""
GOLDS = [
    "SELECT name FROM boats WHERE length > 12.5 AND built = 1990",
    "SELECT COUNT(*) FROM boats WHERE built BETWEEN 1980 AND 1989 OR length < 5",
    "SELECT AVG(length), MAX(length) FROM boats WHERE name LIKE '%star%'",
    "SELECT T2.town FROM boats AS T1 JOIN harbours AS T2 ON T1.harbour_id = T2.id WHERE T1.name = 'Heron'",
    "SELECT T2.town, COUNT(*) FROM boats AS T1 JOIN harbours AS T2 ON T1.harbour_id = T2.id GROUP BY T2.id, T2.town",
    "SELECT T1.name FROM boats AS T1 JOIN harbours AS T2 ON T1.harbour_id = T2.id",
    "SELECT harbour_id, COUNT(*) FROM boats GROUP BY harbour_id HAVING COUNT(*) >= 2 ORDER BY COUNT(*) DESC LIMIT 3",
    "SELECT town FROM harbours WHERE id NOT IN (SELECT harbour_id FROM boats ORDER BY built)",
    "SELECT name FROM boats WHERE length = (SELECT MAX(length) FROM boats)",
    "SELECT name FROM boats WHERE id = (SELECT boat_id FROM trips ORDER BY miles DESC, id LIMIT 1)",
    "SELECT name FROM boats WHERE built < 1970 EXCEPT SELECT T1.name FROM boats AS T1 JOIN trips ON T1.id = boat_id",
    "SELECT skipper FROM trips WHERE miles = 9 UNION SELECT skipper FROM trips WHERE miles = 7 ORDER BY skipper",
    "SELECT DISTINCT skipper FROM trips WHERE boat_id IN (3, 5) ORDER BY day LIMIT 4 OFFSET 1",
    "SELECT id, MAX(length) FROM boats WHERE id = 4",
    "SELECT length * 3 - 1 FROM boats WHERE NOT EXISTS (SELECT 1 FROM trips WHERE boat_id = boats.id)",
    "SELECT skipper, SUM(miles) FROM trips GROUP BY skipper, boat_id ORDER BY SUM(miles), skipper",
    "SELECT town FROM harbours LEFT JOIN boats ON boats.harbour_id = harbours.id WHERE boats.built > 2001",
    "SELECT COUNT(DISTINCT id) FROM boats",
    "SELECT id, name FROM boats",
    "SELECT DISTINCT name FROM boats ORDER BY built",
]


def test_every_operator_makes_runnable_mutants():
    made = set()
    for text in GOLDS:
        gold = Gold(read_schema(SCHEMA), text, Assumptions.HEADLINE)
        sandbox = Sandbox(gold.schema)
        before = gold.query.tree.sql()
        for mutant in mutants(gold.query, ignore_case=False):
            assert mutant.sql != before
            sandbox.run(mutant.sql)
            made.add(mutant.operator)
        assert gold.query.tree.sql() == before
    assert made == {*OPERATORS, "letter case"}


@pytest.mark.parametrize("assumptions", Assumptions)
def test_no_database_tells_a_mutant_that_is_proved_the_same_from_its_gold(assumptions):
    used = set()
    for text in GOLDS:
        gold = Gold(read_schema(SCHEMA), text, assumptions)
        for mutant in mutants(gold.query, ignore_case=gold.ignore_case):
            scopes = [gold.query.scope]
            source = Instances(
                gold.schema, scopes, 1, collect(scopes), gold.keys, assumptions, ignore_case=gold.ignore_case, seed=5
            )
            rule = proof(mutant, World(gold.keys, frozenset(source.nullable), gold.variants.keyed is not None))
            if rule is None:
                continue
            used.add(rule)
            sandbox = Sandbox(gold.schema)
            for instance in source.draw(20):
                sandbox.load(instance)
                expected = gold.expected(sandbox)
                if expected is None or expected.open:
                    continue
                rows = normal_rows(sandbox.run(mutant.sql).rows, gold.ignore_case)
                assert same(Outcome(expected.rows, rows, expected.blocks)), (rule, mutant.sql, instance)
    assert used == set(RULES) or assumptions is not Assumptions.HEADLINE


def test_a_suite_kills_its_mutants_and_is_the_same_every_time():
    for text in GOLDS:
        gold = Gold(read_schema(SCHEMA), text, Assumptions.HEADLINE)
        suite = build_suite(gold)
        adequacy = suite.adequacy
        assert adequacy.killed + len(adequacy.alive) + sum(adequacy.equivalent.values()) == adequacy.mutants
        assert adequacy.databases == len(suite.databases)
        assert adequacy.score is None or adequacy.score > 0.8, (text, adequacy)
        assert adequacy.non_empty >= 3
        assert build_suite(gold) == suite
        assert Suite.from_dict(json.loads(json.dumps(suite.to_dict()))) == suite


def test_each_step_of_the_ladder_has_its_own_suite():
    keys = {Gold(read_schema(SCHEMA), GOLDS[0], step).key for step in Assumptions}
    assert len(keys) == len(Assumptions)
    without = SCHEMA.replace(" PRIMARY KEY", "")
    strict = [Gold(read_schema(schema), GOLDS[0], Assumptions.OPEN_WORLD).key for schema in (SCHEMA, without)]
    assert strict[0] != strict[1]


def test_a_gold_that_its_databases_cannot_probe_is_reported_and_never_matched():
    gold = "SELECT name FROM boats WHERE built > 1950 LIMIT -1 OFFSET 567"
    answer = compare(SCHEMA, gold, "SELECT name FROM boats WHERE built > 1951 LIMIT -1 OFFSET 567")
    assert answer.verdict is Verdict.UNDECIDED
    assert answer.adequacy.non_empty == 0
    assert answer.adequacy.score < 0.5


def test_a_witness_has_only_what_the_queries_mention(replay):
    answer = compare(SCHEMA, "SELECT name FROM boats WHERE built > 1950", "SELECT name FROM boats WHERE built >= 1950")
    assert "length" not in answer.witness.script
    assert "trips" not in answer.witness.script
    replay(answer)
    everything = compare(SCHEMA, "SELECT * FROM boats WHERE built > 1950", "SELECT * FROM boats WHERE built >= 1950")
    assert "length" in everything.witness.script
    replay(everything)


# --- the folder ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINKERSQL_CACHE", str(tmp_path))
    return suites_folder()


def _pairs(count):
    return [
        (SCHEMA, f"SELECT name FROM boats WHERE built > {1900 + number}", "SELECT name FROM boats")
        for number in range(count)
    ]


def test_suites_are_kept_and_change_no_answer(cache):
    pairs = _pairs(6)
    first = list(compare_many(pairs))
    kept = sorted(cache.glob("*/*"))
    assert len(kept) == 6
    assert list(compare_many(pairs)) == first
    assert sorted(cache.glob("*/*")) == kept
    for path in kept[:3]:
        path.write_bytes(path.read_bytes()[:40])
    for path in kept[3:]:
        SuiteStore(cache).write(path.parent.name + path.name.removesuffix(".json.gz"), {"databases": 3})
    assert list(compare_many(pairs)) == first


def test_two_workers_and_two_callers_share_one_folder(cache):
    pairs = _pairs(12)
    alone = list(compare_many(pairs))
    for path in cache.glob("*/*"):
        path.unlink()
    found = {}
    threads = [
        threading.Thread(target=lambda name=name: found.update({name: list(compare_many(pairs, workers=2))}))
        for name in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: alone, 1: alone}
    assert len(list(cache.glob("*/*"))) == 12


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("TINKERSQL_CACHE", str(tmp_path / "file"))
    assert [answer.verdict for answer in compare_many(_pairs(2))] == [Verdict.DIFFERENT] * 2


def test_the_folder_is_bounded(tmp_path):
    store = SuiteStore(tmp_path, most_bytes=20_000)
    for number in range(400):
        store.write(f"00{number:06}", {"databases": [str(number)] * 40, "adequacy": {}})
    total = sum(path.stat().st_size for path in tmp_path.glob("*/*"))
    assert 10_000 < total <= 20_000
    assert store.read("00000399")["databases"][0] == "399"
    assert store.read("00000000") is None


def test_a_gold_that_fails_is_told_from_one_that_does_not_run():
    with pytest.raises(QueryError, match="no such column"):
        Gold(read_schema(SCHEMA), "SELECT missing FROM boats", Assumptions.HEADLINE)


def test_one_undecided_gold_leaves_the_whole_undecided():
    golds = ["SELECT name FROM boats WHERE built = 1 AND built = 2", "SELECT built FROM boats"]
    predicted = "SELECT name FROM boats WHERE length = 1 AND length = 2"
    assert compare(SCHEMA, golds[1], predicted).verdict is Verdict.DIFFERENT
    assert compare(SCHEMA, golds, predicted).verdict is Verdict.UNDECIDED


def test_others_may_read_the_folder_as_far_as_the_user_lets_them(tmp_path):
    before = os.umask(0o022)
    try:
        SuiteStore(tmp_path).write("ab12", {"databases": []})
    finally:
        os.umask(before)
    [path] = tmp_path.glob("*/*")
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.slow
def test_an_idle_worker_lives_on():
    pair = (SCHEMA, GOLDS[0], GOLDS[1])
    first = compare(*pair)
    workers = {child.pid for child in psutil.Process().children()}
    time.sleep(DEADLINE + 2)
    assert {child.pid for child in psutil.Process().children() if child.is_running()} == workers
    assert all(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in workers)
    assert compare(*pair) == first
