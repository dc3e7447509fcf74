"""The built-in data: it runs, it is varied, its split is clean, and it stays away from the novel schemas."""

import os
import random
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tinkersql.corpus.examples import Example
from tinkersql.corpus.generate import generate, is_held_out_domain, is_held_out_pattern, split
from tinkersql.corpus.generate.domain import Column, Domain, Role, Table
from tinkersql.corpus.generate.domains import DOMAINS, HELD_OUT_DOMAINS
from tinkersql.corpus.generate.naming import namings_of
from tinkersql.corpus.generate.shapes import SHAPES
from tinkersql.equivalence import compare_many
from tinkersql.evaluation.suites import EXERCISE

ROWS = 800
CHILDLESS = 0.75  # only keys up to this share of a tenth are referred to, so that some parents have no children
DATABASES = ((ROWS, 0.0), (200, 0.2), *((size, 0.0) for size in (25, 12, 12, 12, 6, 6, 6, 6, 6, 3, 3)))
"""The rows of each table and the share of missing values; the small ones are for "fewer than 5 pastries"."""


def read_schema(schema: str) -> dict[str, list[str]]:
    """Column names by table name."""
    found = re.findall(r"CREATE TABLE (\w+) \((.*)\)", schema.replace("; ", "\n"))
    parts = {table: columns.split(", ") for table, columns in found}
    return {
        table: [part.split()[0] for part in columns if not part.startswith("FOREIGN KEY")]
        for table, columns in parts.items()
    }


def rows_of(domain: Domain, rows: int, missing: float, rng: random.Random) -> dict[int, list[tuple[str | None, ...]]]:
    """Rows from a domain's value pools, by the place of the table."""
    own_keys = {(link.parent, link.key) for link in domain.links}
    references = {(link.child, link.column) for link in domain.links}

    def value(table: Table, column: Column, row: int) -> str | None:
        if (table.name, column.name) in own_keys:
            return str(row)
        if (table.name, column.name) in references:
            return str(rng.randint(1, max(2, round(rows * CHILDLESS) // 10)))
        optional = column.role not in (Role.KEY, Role.LABEL)
        return None if optional and rng.random() < missing else column.sample(rng)

    return {
        place: [tuple(value(table, column, row) for column in table.columns) for row in range(1, rows + 1)]
        for place, table in enumerate(domain.tables)
    }


class Databases:
    """Databases filled from the domains' values, with the names of any naming; made when they are needed."""

    def __init__(self) -> None:
        self._domains = {domain.name: namings_of(domain) for domain in DOMAINS}
        self._made: dict[tuple[str, str], list[sqlite3.Connection]] = {}
        self._rows = cache(self._draw)

    def of(self, example: Example) -> list[sqlite3.Connection]:
        """Databases of the example's domain, in the schema's naming; a neighbour's tables are not in them."""
        shown = {(table, column) for table, columns in read_schema(example.schema).items() for column in columns}

        def names(domain: Domain) -> set[tuple[str, str]]:
            return {(table.name, column.name) for table in domain.tables for column in table.columns}

        domain = max(self._domains[example.domain], key=lambda domain: len(shown & names(domain)))
        key = (domain.name, str(sorted(names(domain))))
        if key not in self._made:
            self._made[key] = [self._fill(domain, rows) for rows in self._rows(domain.name)]
        return self._made[key]

    def _draw(self, name: str) -> list[dict[int, list[tuple[str | None, ...]]]]:
        rng = random.Random(name)
        return [rows_of(self._domains[name][0], rows, missing, rng) for rows, missing in DATABASES]

    @staticmethod
    def _fill(domain: Domain, rows: dict[int, list[tuple[str | None, ...]]]) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:")
        for place, table in enumerate(domain.tables):
            columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
            connection.execute(f"CREATE TABLE {table.name} ({columns})")
            marks = ", ".join("?" * len(table.columns))
            connection.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows[place])
        return connection


def answers(connection: sqlite3.Connection, gold: str) -> bool:
    """Whether the gold returns rows, each with all its values, and more than a bare zero."""
    rows = connection.execute(gold).fetchall()
    complete = all(value is not None for row in rows for value in row)
    return bool(rows) and complete and (rows[0] != (0,) or "COUNT" not in gold)


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return generate(6000, seed=0)


@pytest.fixture(scope="module")
def everything() -> list[Example]:
    return generate()


@pytest.fixture(scope="module")
def databases() -> Databases:
    return Databases()


def test_there_are_enough_domains_with_names_of_their_own():
    assert len(DOMAINS) >= 40
    tables = [table.name for domain in DOMAINS for table in domain.tables]
    assert len(set(tables)) == len(tables)
    assert len({domain.name for domain in DOMAINS}) == len(DOMAINS)


def test_the_documentation_counts_right():
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    said = re.search(r"from (\d+) hand-written domains", text), re.search(r"and (\d+) shapes of query", text)
    assert [found and int(found[1]) for found in said] == [len(DOMAINS), len(SHAPES)]


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)
def test_a_domain_is_well_formed_and_its_words_name_one_column(domain: Domain):
    columns = [column for table in domain.tables for column in table.columns]
    asked_for = Counter(column.words for column in columns if column.role in (Role.TEXT, Role.NUMBER, Role.YEAR))
    assert [words for words, times in asked_for.items() if times > 1] == []
    names: set[str] = set()
    for named in namings_of(domain):
        assert len({table.name.lower() for table in named.tables}) == len(named.tables)
        for table in named.tables:
            assert len({column.name.lower() for column in table.columns}) == len(table.columns)
            names |= {table.name.lower()} | {column.name.lower() for column in table.columns}
    # SQLite reads a double-quoted text as a column where one has that name.
    assert [value for column in columns for value in column.values if value.lower() in names] == []
    for link in domain.links:
        child, parent = domain.table(link.child), domain.table(link.parent)
        assert link.column in [column.name for column in child.columns]
        assert link.key in [column.name for column in parent.columns]


def test_every_gold_runs_on_its_own_schema(examples: list[Example]):
    for example in examples:
        connection = sqlite3.connect(":memory:")
        connection.executescript(example.schema)
        for gold in example.golds:
            connection.execute(gold)
        connection.close()


def test_every_gold_returns_rows_from_the_domain_values(examples: list[Example], databases: Databases):
    for example in examples:
        for gold in example.golds:
            assert any(answers(connection, gold) for connection in databases.of(example)), gold


def test_no_two_examples_ask_the_same_question(examples: list[Example]):
    assert len({example.question for example in examples}) == len(examples) == 6000


def test_the_default_set_is_large_and_varied(everything: list[Example]):
    assert len({example.question for example in everything}) == len(everything) >= 20000
    assert len({example.domain for example in everything}) >= 40
    train, test = split(everything)
    assert len(train) + len(test) == len(everything)
    assert not {example.pattern for example in train} & {example.pattern for example in test}


SKILLS = {
    "having a count": r"HAVING COUNT\(\*\) [<>]",
    "having a sum": r"HAVING SUM\(",
    "having an average": r"HAVING AVG\(",
    "above average": r"> \(SELECT AVG\(",
    "below average": r"< \(SELECT AVG\(",
    "parents without children": r"NOT IN \(SELECT",
    "the maximum by a subquery": r"= \(SELECT MAX\(",
    "the maximum by order": r"ORDER BY \w+ DESC LIMIT 1$",
    "intersect": r"\bINTERSECT\b",
    "except": r"\bEXCEPT\b",
    "union": r"\bUNION\b",
    "missing": r"IS NULL",
    "not missing": r"IS NOT NULL",
    "a month": r'LIKE "\d{4}-\d\d%"',
    "a year": r'LIKE "\d{4}%"',
    "dates between": r'BETWEEN "\d{4}-\d\d-\d\d" AND',
    "before a date": r'< "\d{4}-',
    "starts with": r'LIKE "[^%\d][^%]*%"',
    "contains": r'LIKE "%[^%]+%"',
    "ends with": r'LIKE "%[^%]+"',
    "count distinct": r"COUNT\(DISTINCT",
    "sum by group": r"SUM\(\w+\) FROM \w+ GROUP BY",
    "group, order and top n": r"GROUP BY \w+ ORDER BY SUM\(\w+\) DESC LIMIT \d",
    "aggregate of a join": r"SELECT AVG\(T2\.\w+\) FROM .* WHERE T1\.",
    "three tables": r"\bT3\.",
    "or on two columns": r'WHERE (\w+) = "[^"]*" OR (?!\1\b)',
    "sorted by two columns": r"ORDER BY \w+, \w+",
}


@pytest.mark.parametrize("skill", SKILLS)
def test_training_shows_every_skill(examples: list[Example], skill: str):
    train, _ = split(examples)
    assert sum(bool(re.search(SKILLS[skill], example.gold)) for example in train) >= 5


def test_the_same_condition_is_listed_and_counted(examples: list[Example]):
    """So that only the question's words say whether rows or their number are wanted."""
    train, _ = split(examples)
    conditions: dict[str, set[str]] = {"COUNT(*)": set(), "": set()}
    for example in train:
        if found := re.fullmatch(r"SELECT (COUNT\(\*\)|\w+) FROM (\w+ WHERE .*)", example.gold):
            conditions["COUNT(*)" if found[1] == "COUNT(*)" else ""].add(found[2].lower())
    assert len(conditions["COUNT(*)"] & conditions[""]) >= 20


def test_schemas_are_written_in_many_ways(examples: list[Example]):
    schemas = [example.schema for example in examples]
    for way, share in {
        r" VARCHAR\b": 0.3,
        r" TEXT\b": 0.2,
        r" DATE\b": 0.05,
        r"PRIMARY KEY": 0.1,
        r"FOREIGN KEY": 0.03,
        r"\w REFERENCES \w+\(\w+\)[,)]": 0.01,
        r"[( ][a-z]+_[a-z_]+ ": 0.2,
        r"[( ][a-z]+[A-Z]\w+ ": 0.05,
        r"[( ][A-Z][a-z]+[A-Z]\w+ ": 0.03,
    }.items():
        assert sum(bool(re.search(way, schema)) for schema in schemas) >= share * len(schemas), way


def test_values_stand_in_the_question_as_in_the_query(examples: list[Example]):
    for example in examples:
        dates = re.findall(r'LIKE "\d{4}', example.gold)
        for value in re.findall(r'"([^"]*)"', example.gold):
            assert dates or value.strip("%") in example.question, example.gold


def test_the_judge_accepts_every_gold(examples: list[Example]):
    """One example of each shape: its last gold, judged against the first and the others."""
    by_shape = {example.pattern.split("/")[0]: example for example in examples}
    pairs = [(example.schema, example.golds, example.golds[-1]) for example in by_shape.values()]
    verdicts = [verdict.matches for verdict in compare_many(pairs)]
    refused = [pair[2] for pair, matches in zip(pairs, verdicts, strict=True) if not matches]
    assert refused == []


def test_too_large_a_count_is_refused_with_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tinkersql.corpus.generate.ATTEMPTS", 1)
    with pytest.raises(ValueError, match="no new question after 1 attempts"):
        generate(100000)


def test_the_seed_decides_everything(examples: list[Example], everything: list[Example]):
    assert generate(6000, seed=0) == examples == everything[:6000]
    assert generate(50, seed=0) == examples[:50]
    assert generate(50, seed=1) != examples[:50]


def test_another_process_with_another_hash_seed_makes_the_same_examples():
    program = "from tinkersql.corpus.generate import generate; print(repr(generate(300, seed=5)))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {repr(generate(300, seed=5)) + "\n"}


def test_schemas_show_columns_and_tables_that_the_query_does_not_use(examples: list[Example]):
    spare_columns = spare_tables = 0
    for example in examples:
        words = set(re.findall(r"\w+", re.sub(r'"[^"]*"', "", example.gold)))
        schema = read_schema(example.schema)
        spare_tables += any(table not in words for table in schema)
        spare_columns += any(column not in words for columns in schema.values() for column in columns)
    assert spare_columns > 0.8 * len(examples)
    assert spare_tables > 0.1 * len(examples)
    needed_only = len(examples) - spare_columns
    assert needed_only > 0.01 * len(examples)


def test_many_tables_do_not_mean_a_join(examples: list[Example]) -> None:
    for tables in (2, 3):
        shown = [example for example in examples if example.schema.count("CREATE TABLE") == tables]
        assert 0.2 < sum(" JOIN " in example.gold for example in shown) / len(shown) < 0.6


def test_the_split_is_by_domain_and_by_pattern(examples: list[Example]):
    train, test = split(examples)
    assert len(train) >= 2500
    assert len(test) >= 400
    assert {example.domain for example in test} == HELD_OUT_DOMAINS
    assert not {example.domain for example in train} & HELD_OUT_DOMAINS
    assert not {example.pattern for example in train} & {example.pattern for example in test}
    assert all(is_held_out_domain(example.domain) and is_held_out_pattern(example.pattern) for example in test)
    train_tables = {table for example in train for table in read_schema(example.schema)}
    assert not train_tables & {table for example in test for table in read_schema(example.schema)}


def test_an_example_of_a_held_out_domain_in_a_seen_wording_belongs_to_neither_split():
    mixed = [
        Example("q", "s", ("g",), domain="library", pattern="count/0"),
        Example("q", "s", ("g",), domain="bakery", pattern="top-where/0"),
    ]
    assert split(mixed) == ([], [])


def test_the_test_split_has_new_wordings_of_every_shape_and_whole_new_shapes(everything: list[Example]):
    train, test = split(everything)
    shapes_seen = {example.pattern.split("/")[0] for example in train}
    shapes_tested = {example.pattern.split("/")[0] for example in test}
    assert shapes_tested == {shape.name for shape in SHAPES}
    assert shapes_tested - shapes_seen == {"top-where", "group-count-where", "join-top-sum"}
    for shape in SHAPES:
        assert shape.unseen
        assert not shape.wordings or len(shape.wordings) >= 8


def test_every_shape_is_asked_often_and_none_dominates(examples: list[Example]):
    train, _ = split(examples)
    shapes = Counter(example.pattern.split("/")[0] for example in train)
    assert min(shapes.values()) >= 0.002 * len(train)
    assert max(shapes.values()) <= 0.1 * len(train)


def test_no_schema_is_like_one_of_the_novel_ones(examples: list[Example]):
    novel_tables = {table for example in EXERCISE for table in read_schema(example.schema)}
    novel_columns = [
        {column for columns in read_schema(example.schema).values() for column in columns} - {"id", "name"}
        for example in EXERCISE
    ]
    for domain in DOMAINS:
        for named in namings_of(domain):
            assert not novel_tables & {table.name.lower() for table in named.tables}
            columns = {column.name.lower() for table in named.tables for column in table.columns}
            assert all(len(columns & novel) <= 2 for novel in novel_columns), domain.name
    for example in examples:
        assert not novel_tables & {table.lower() for table in read_schema(example.schema)}


def mask(question: str, names: set[str], values: set[str]) -> str:
    """A question with the schema's names (also singular and plural), the values and the numbers masked."""
    masked = question
    for value in sorted(values, key=len, reverse=True):
        masked = re.sub(rf"\b{re.escape(value)}(?!\w)", "_", masked, flags=re.IGNORECASE)
    words = {word for name in names for word in (name, *name.split()) if len(word) > 2}
    forms = words | {word + "s" for word in words} | {word[:-1] + "ies" for word in words if word.endswith("y")}
    forms |= {word[:-1] for word in words if word.endswith("s")}
    kept = [word for word in re.findall(r"\w+|[^\w\s]", masked) if word not in ("the", "a", "an")]
    named = ["_" if word.lower() in forms or word[0].isdigit() else word.lower() for word in kept]
    return re.sub(r"_( _)+", "_", " ".join(named))


def names_in(schema: str) -> set[str]:
    """The words of a schema's table and column names."""
    found = read_schema(schema)
    names = {name.lower() for name in (*found, *(column for columns in found.values() for column in columns))}
    return {part for name in names for part in name.split("_")} | names


def test_masking_leaves_only_the_sentence():
    novel = [
        mask(example.question, names_in(example.schema), set(re.findall(r'"(.*?)"', example.gold)))
        for example in EXERCISE
    ]
    assert novel == [
        "what are _ of _ in _ ?",
        "how many _ cost more than _ dollars ?",
        "what is highest _ in _ ?",
        "list top _ by total _ .",
        "how many _ are enrolled in each _ ?",
    ]
    pool = {"puff"}
    assert mask("What are the names of pastries in the puff dough?", {"pastry", "name", "dough"}, pool) == novel[0]


def test_no_question_equals_a_novel_one_after_masking(examples: list[Example]):
    novel = {
        mask(example.question, names_in(example.schema), set(re.findall(r'"(.*?)"', example.gold)))
        for example in EXERCISE
    }
    domains = {domain.name: domain for domain in DOMAINS}
    for example in examples:
        domain = domains[example.domain]
        names = {table.noun for table in domain.tables} | {table.plural for table in domain.tables}
        names |= {column.words for table in domain.tables for column in table.columns}
        values = set(re.findall(r'"(.*?)"', example.gold))
        masked = mask(example.question, {name.lower() for name in names} | names_in(example.schema), values)
        assert masked not in novel, example.question
