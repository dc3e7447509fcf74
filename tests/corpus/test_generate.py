"""The built-in data: it runs, it is varied, its split is clean, and it stays away from the novel schemas."""

import random
import re
import sqlite3
import subprocess
import sys
from collections import Counter

import pytest

from tinkersql.corpus.examples import Example
from tinkersql.corpus.generate import generate, is_held_out_domain, is_held_out_pattern, split
from tinkersql.corpus.generate.domain import Domain, Role
from tinkersql.corpus.generate.domains import DOMAINS, HELD_OUT_DOMAINS
from tinkersql.corpus.generate.shapes import SHAPES
from tinkersql.evaluation.suites import EXERCISE

ROWS = 600
CHILDLESS = 0.75  # only keys up to this share are referred to, so that some parents have no children


def read_schema(schema: str) -> dict[str, list[str]]:
    """Column names by table name."""
    found = re.findall(r"CREATE TABLE (\w+) \(([^)]*)\)", schema)
    return {table: [column.split()[0] for column in columns.split(", ")] for table, columns in found}


def fill(domain: Domain) -> sqlite3.Connection:
    """A database with all tables of a domain and rows from its value pools."""
    rng = random.Random(domain.name)
    connection = sqlite3.connect(":memory:")
    own_keys = {(link.parent, link.key) for link in domain.links}
    references = {(link.child, link.column) for link in domain.links}
    for table in domain.tables:
        columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
        connection.execute(f"CREATE TABLE {table.name} ({columns})")
        for row in range(1, ROWS + 1):
            values = [
                str(row)
                if (table.name, column.name) in own_keys
                else str(rng.randint(1, round(ROWS * CHILDLESS) // 10))
                if (table.name, column.name) in references
                else column.sample(rng)
                for column in table.columns
            ]
            connection.execute(f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(values))})", values)
    return connection


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return generate(6000, seed=0)


@pytest.fixture(scope="module")
def databases() -> dict[str, sqlite3.Connection]:
    return {domain.name: fill(domain) for domain in DOMAINS}


def test_there_are_enough_domains_with_names_of_their_own():
    assert len(DOMAINS) >= 24
    tables = [table.name for domain in DOMAINS for table in domain.tables]
    assert len(set(tables)) == len(tables)
    assert len({domain.name for domain in DOMAINS}) == len(DOMAINS)


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)
def test_a_domain_is_well_formed_and_its_words_name_one_column(domain: Domain):
    columns = [column for table in domain.tables for column in table.columns]
    asked_for = Counter(column.words for column in columns if column.role in (Role.TEXT, Role.NUMBER, Role.YEAR))
    assert [words for words, times in asked_for.items() if times > 1] == []
    names = {column.name.lower() for column in columns} | {table.name.lower() for table in domain.tables}
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


def test_every_gold_returns_rows_from_the_domain_values(
    examples: list[Example], databases: dict[str, sqlite3.Connection]
):
    for example in [*examples, *generate(2000, seed=9)]:
        for gold in example.golds:
            rows = databases[example.domain].execute(gold).fetchall()
            assert rows, gold
            assert all(value is not None for row in rows for value in row), gold
            assert rows[0] != (0,) or "COUNT" not in gold, gold


def test_no_two_examples_ask_the_same_question(examples: list[Example]):
    assert len({example.question for example in examples}) == len(examples) == 6000


def test_a_larger_set_is_within_reach():
    assert len({example.question for example in generate(10000, seed=3)}) == 10000


def test_too_large_a_count_is_refused_with_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tinkersql.corpus.generate.ATTEMPTS", 1)
    with pytest.raises(ValueError, match="no new question after 1 attempts"):
        generate(100000)


def test_the_seed_decides_everything(examples: list[Example]):
    assert generate(6000, seed=0) == examples
    assert generate(50, seed=0) == examples[:50]
    assert generate(50, seed=1) != examples[:50]


def test_another_process_with_another_hash_seed_makes_the_same_examples():
    program = "from tinkersql.corpus.generate import generate; print(repr(generate(300, seed=5)))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
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


def test_the_test_split_has_new_wordings_of_every_shape_and_whole_new_shapes(examples: list[Example]):
    train, test = split(examples)
    shapes_seen = {example.pattern.split("/")[0] for example in train}
    shapes_tested = {example.pattern.split("/")[0] for example in test}
    assert shapes_tested == {shape.name for shape in SHAPES}
    assert shapes_tested - shapes_seen == {"top-where", "group-count-where", "join-top-sum"}
    for shape in SHAPES:
        assert shape.unseen
        assert not shape.wordings or len(shape.wordings) >= 5


def test_every_shape_is_asked_often_and_none_dominates(examples: list[Example]):
    train, _ = split(examples)
    shapes = Counter(example.pattern.split("/")[0] for example in train)
    assert min(shapes.values()) >= 0.005 * len(train)
    assert max(shapes.values()) <= 0.1 * len(train)


def test_no_schema_is_like_one_of_the_novel_ones(examples: list[Example]):
    novel_tables = {table for example in EXERCISE for table in read_schema(example.schema)}
    novel_columns = [
        {column for columns in read_schema(example.schema).values() for column in columns} - {"id", "name"}
        for example in EXERCISE
    ]
    for domain in DOMAINS:
        assert not novel_tables & {table.name.lower() for table in domain.tables}
        columns = {column.name.lower() for table in domain.tables for column in table.columns}
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
