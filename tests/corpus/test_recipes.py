import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinkersql.corpus import Example
from tinkersql.corpus.generate import generate, is_generated, is_held_out_domain
from tinkersql.corpus.generate import split as generated_split
from tinkersql.corpus.recipes import COMBINATIONS, RECIPES, enrich, parse
from tinkersql.equivalence import Verdict, compare
from tinkersql.equivalence.schema import read_schema
from tinkersql.errors import SettingsError

BY_ROW = [name for name in RECIPES if name not in ("keep-plain", "mix-generated")]
KEEPS_GOLD = ["distractor-columns", "distractor-tables", "shuffle-columns", "declared-keys", "realistic-types"]
LARGE = tuple(generate(count=240, seed=11))


def row(question: str, context: str, answer: str) -> Example:
    return Example(question, context, (answer,))


def apply(spec: str, examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    return enrich(spec, examples, seed).examples


# Rows in the manner of sql-create-context: bare schemas, placeholder names, values in double quotes and lower case.
ROWS = (
    row(
        "Which keeper feeds the heron?",
        "CREATE TABLE table_901_1 (keeper VARCHAR, bird VARCHAR)",
        'SELECT keeper FROM table_901_1 WHERE bird = "Heron"',
    ),
    row(
        "How many eggs did the goose lay in the spring of 2004?",
        "CREATE TABLE table_901_1 (eggs VARCHAR, bird VARCHAR, spring VARCHAR)",
        'SELECT eggs FROM table_901_1 WHERE bird = "Goose" AND spring = 2004',
    ),
    row(
        "What wing span has the swan?",
        "CREATE TABLE table_901_1 (wing_span VARCHAR, bird VARCHAR)",
        'SELECT wing_span FROM table_901_1 WHERE bird = "Swan"',
    ),
    row(
        "What pond lies at Mill Lane?",
        "CREATE TABLE table_name_4 (pond VARCHAR, path VARCHAR)",
        'SELECT pond FROM table_name_4 WHERE path = "mill lane"',
    ),
    row(
        "Which depth has Otter Pond?",
        "CREATE TABLE table_name_31 (depth INTEGER, pond VARCHAR, owner VARCHAR)",
        'SELECT MAX(depth) FROM table_name_31 WHERE pond = "otter pond" AND depth > 2.5 AND owner = "parish"',
    ),
    row(
        "What episode had Ann Lee as its director?",
        "CREATE TABLE table_name_8 (episode VARCHAR, directed_by VARCHAR)",
        'SELECT episode FROM table_name_8 WHERE directed_by = "ann lee"',
    ),
    row(
        "Name the keepers of ponds in Kent.",
        "CREATE TABLE keeper (keeper_id VARCHAR, name VARCHAR); CREATE TABLE pond (keeper_id VARCHAR, county VARCHAR)",
        'SELECT T1.name FROM keeper AS T1 JOIN pond AS T2 ON T1.keeper_id = T2.keeper_id WHERE T2.county = "Kent"',
    ),
    row(
        "How many keepers are there of each age?",
        "CREATE TABLE keeper (age VARCHAR); CREATE TABLE pond (fish VARCHAR, area_km VARCHAR)",
        "SELECT age, COUNT(*) FROM keeper GROUP BY age",
    ),
)


def reads(schema: str, gold: str) -> list[tuple[str, str]]:
    """The (table, column) pairs that SQLite reads for a query: where its names lead."""
    found: list[tuple[str, str]] = []
    database = sqlite3.connect(":memory:")
    for statement in read_schema(schema).ddl():
        database.execute(statement)

    def note(action: int, table: str | None, column: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_READ:
            found.append(((table or "").lower(), (column or "").lower()))
        return sqlite3.SQLITE_OK

    database.set_authorizer(note)
    database.execute(gold).fetchall()
    database.close()
    return found


def names(schema: str) -> dict[str, set[str]]:
    return {table: {c.name.lower() for c in t.columns} for table, t in read_schema(schema).tables.items()}


@pytest.mark.parametrize("recipe", [*BY_ROW, *COMBINATIONS])
def test_a_gold_still_runs_and_the_judge_takes_it_for_itself(recipe) -> None:
    spec = recipe if recipe in COMBINATIONS else f"{recipe}=1"
    rows = (*ROWS, *LARGE[:5]) if recipe != "all" else ROWS
    for example in apply(spec, rows, seed=4):
        assert compare(example.schema, list(example.golds), example.gold).verdict == Verdict.MATCH, example


@pytest.mark.parametrize("recipe", KEEPS_GOLD)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_recipe_that_does_not_rename_leaves_gold_and_question_and_where_names_lead(recipe, seed) -> None:
    before = (*ROWS, *LARGE[seed % 200 : seed % 200 + 10])
    for old, new in zip(before, apply(f"{recipe}=1", before, seed), strict=True):
        assert (new.question, new.golds) == (old.question, old.golds)
        assert all(reads(new.schema, gold) == reads(old.schema, gold) for gold in old.golds)
        shown = names(new.schema)
        assert all(columns <= shown[table] for table, columns in names(old.schema).items())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_new_name_takes_the_place_of_the_old_one_everywhere(seed) -> None:
    before = (*ROWS, *LARGE[seed % 200 : seed % 200 + 10])
    for old, new in zip(before, apply("rename-tables,rename-identifiers=1", before, seed), strict=True):
        tables = list(
            zip(read_schema(old.schema).tables.values(), read_schema(new.schema).tables.values(), strict=True)
        )
        mapped = {
            (a.name.lower(), x.name.lower()): (b.name.lower(), y.name.lower())
            for a, b in tables
            for x, y in zip(a.columns, b.columns, strict=True)
        } | {(a.name.lower(), ""): (b.name.lower(), "") for a, b in tables}
        for one, other in zip(old.golds, new.golds, strict=True):
            assert [mapped[pair] for pair in reads(old.schema, one)] == reads(new.schema, other)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), spec=st.sampled_from(["full-schemas", "distractor-columns=1,distractor-tables=1"]))
def test_a_spare_column_is_no_value_of_the_gold_and_no_other_spelling_of_a_column(seed, spec) -> None:
    for old, new in zip(ROWS, apply(spec, ROWS, seed), strict=True):
        shown = [c for columns in names(old.schema).values() for c in columns]
        spare = [c for columns in names(new.schema).values() for c in columns if c not in shown and c != "id"]
        values = {value.lower() for value in re.findall(r'"([^"]*)"', old.gold)}
        assert not values & set(spare)
        assert not any(one in other or other in one for one in spare for other in shown)


def test_a_value_in_double_quotes_keeps_a_column_of_its_name_away() -> None:
    ducks = row(
        "Who is wild?",
        "CREATE TABLE table_7_1 (duck VARCHAR, kin VARCHAR)",
        'SELECT duck FROM table_7_1 WHERE kin = "Wing"',
    )
    geese = row(
        "Which wing?",
        "CREATE TABLE table_7_1 (wing VARCHAR, beak VARCHAR)",
        "SELECT wing FROM table_7_1 WHERE beak = 3",
    )
    shown = [names(apply("distractor-columns=1", (ducks, geese), seed)[0].schema) for seed in range(30)]
    assert any("beak" in tables["table_7_1"] for tables in shown)
    assert not any("wing" in tables["table_7_1"] for tables in shown)


def test_spare_columns_come_from_the_same_table_first() -> None:
    shown = [names(apply("distractor-columns=1", ROWS, seed)[0].schema)["table_901_1"] for seed in range(40)]
    counts = Counter(column for columns in shown for column in columns)
    assert counts["eggs"] > 20
    assert counts["wing_span"] > 20


def test_spare_columns_leave_no_doubt() -> None:
    """The question speaks of a wing span; it does not name the column that the gold uses for `where`."""
    asked = row("Where is the wing span 40?", "CREATE TABLE table_901_1 (site VARCHAR)", "SELECT site FROM table_901_1")
    other = row("Which location?", "CREATE TABLE table_901_1 (location VARCHAR)", "SELECT location FROM table_901_1")
    beside = row(
        "x", "CREATE TABLE table_name_1 (site VARCHAR, venue VARCHAR, shoe VARCHAR)", "SELECT shoe FROM table_name_1"
    )
    for seed in range(30):
        shown = names(apply("distractor-columns=1", (asked, other, beside, *ROWS), seed)[0].schema)["table_901_1"]
        assert not shown & {"wing_span", "venue"}


def test_a_spare_table_is_one_of_the_same_database_where_there_is_one() -> None:
    tables = [
        names(
            apply(
                "distractor-tables=1",
                (ROWS[7], row("x", "CREATE TABLE keeper (shoe VARCHAR)", "SELECT shoe FROM keeper")),
                seed,
            )[1].schema
        )
        for seed in range(12)
    ]
    assert {frozenset(shown) for shown in tables} == {frozenset({"keeper", "pond"})}


def test_types_follow_the_literals_before_the_names() -> None:
    example = row(
        "x",
        "CREATE TABLE t (year VARCHAR, rank VARCHAR, price VARCHAR, "
        "date VARCHAR, day VARCHAR, note VARCHAR, z INTEGER)",
        'SELECT date, note FROM t WHERE year = "1999/00" AND rank = 3 AND price > 2.5 AND day = "2010-05-01"',
    )
    types = [
        {
            c.name: c.type
            for c in read_schema(apply("realistic-types=1", (example,), seed)[0].schema).tables["t"].columns
        }
        for seed in range(20)
    ]
    text = {kinds.pop("note") for kinds in types}
    assert text == {"VARCHAR", "TEXT"}
    assert all(kinds.pop("year") in text for kinds in types)
    wanted = {"rank": "INTEGER", "price": "REAL", "date": "DATE", "day": "DATE", "z": "INTEGER"}
    assert all(kinds == wanted for kinds in types)


def test_joined_columns_get_one_type() -> None:
    for example in apply("realistic-types=1", (ROWS[6],) * 8, seed=1):
        tables = read_schema(example.schema).tables
        assert {t.find("keeper_id").type for t in tables.values()} == {"INTEGER"}  # type: ignore[union-attr]


def test_keys_are_declared_where_the_names_speak_for_them() -> None:
    for example in apply("declared-keys=1", (ROWS[6],) * 8, seed=1):
        tables = read_schema(example.schema).tables
        assert tables["keeper"].primary_key == ("keeper_id",)
        assert tables["pond"].foreign_keys == {"keeper_id": ("keeper", "keeper_id")}
    [bird] = apply("declared-keys=1", ROWS[:1], seed=1)
    assert read_schema(bird.schema).tables["table_901_1"].primary_key == ("id",)


def test_no_id_is_added_where_the_query_shows_every_column() -> None:
    example = row("Show all birds.", "CREATE TABLE birds (name VARCHAR)", "SELECT * FROM birds")
    assert apply("declared-keys=1", (example,), seed=1) == (example,)


def test_tables_are_named_after_their_columns_and_unclear_ones_are_not() -> None:
    renamed = apply("rename-tables", ROWS, seed=0)
    [episodes] = names(renamed[5].schema)
    assert episodes in ("episodes", "shows")
    assert renamed[5].gold == f'SELECT episode FROM {episodes} WHERE directed_by = "ann lee"'
    assert renamed[3] == ROWS[3]
    assert renamed[6] == ROWS[6]


def test_identifiers_that_are_also_keywords_functions_or_values_survive_a_renaming() -> None:
    example = row(
        "x",
        'CREATE TABLE my_count (count_all VARCHAR, max INTEGER, "order" VARCHAR, other_name VARCHAR)',
        'SELECT MAX(max), "order" FROM my_count WHERE count_all = "Other_Thing" OR count_all = "other_name"',
    )
    for seed in range(12):
        [new] = apply("rename-identifiers=1", (example,), seed)
        assert len(reads(new.schema, new.gold)) == len(reads(example.schema, example.gold))
        assert '"Other_Thing"' in new.gold
        assert '"other_name"' in new.gold
        assert '"order"' in new.gold


def test_values_get_the_question_s_capitals_and_quotes_on_demand() -> None:
    [lane] = apply("value-case", ROWS[3:4], seed=0)
    assert lane.gold.endswith('"Mill Lane"')
    [single] = apply(
        "value-quotes=1", (row("x", ROWS[0].schema, 'SELECT keeper FROM table_901_1 WHERE bird = "o\'hen"'),), 0
    )
    assert single.gold.endswith("'o''hen'")
    [own] = apply("value-quotes=1", (row("x", ROWS[0].schema, 'SELECT "keeper" FROM table_901_1'),), 0)
    assert own.gold == 'SELECT "keeper" FROM table_901_1'


def test_shuffling_keeps_every_column_and_changes_the_first() -> None:
    firsts = {
        read_schema(apply("shuffle-columns=1", ROWS[1:2], seed)[0].schema).tables["table_901_1"].columns[0].name
        for seed in range(20)
    }
    assert firsts == {"eggs", "bird", "spring"}


@pytest.mark.parametrize(
    "example",
    [
        row("x", "no schema at all", "SELECT 1"),
        row("x", "CREATE VIEW v AS SELECT 1", "SELECT 1"),
        row("x", "CREATE TABLE t (a VARCHAR", "SELECT a FROM t"),
        row("x", "CREATE TABLE t (a VARCHAR) -- note, this", "SELECT a FROM t"),
        row("x", "CREATE TABLE t (a VARCHAR)", 'SELECT a FROM t WHERE a = "6\'11""'),
    ],
)
def test_what_cannot_be_read_passes_unchanged_and_is_counted(example) -> None:
    enriched = enrich("all", (*ROWS, example), seed=0, limit=None)
    assert example in enriched.examples
    assert enriched.unreadable == 1


@settings(max_examples=20, deadline=None)
@given(
    schema=st.text(alphabet="CREATE TABLE t(a,b) \"'`[];-KEY", max_size=80),
    gold=st.text(max_size=60),
    seed=st.integers(0, 99),
)
def test_any_text_is_survived(schema, gold, seed) -> None:
    examples = (*ROWS, row("x", "CREATE TABLE " + schema, gold), row("x", "CREATE TABLE t (a VARCHAR)", gold))
    assert len(apply(",".join(f"{name}=1" for name in BY_ROW), examples, seed)) == len(examples)


def test_what_a_hand_written_schema_declares_is_kept() -> None:
    schema = (
        "CREATE TABLE pond (id INTEGER PRIMARY KEY AUTOINCREMENT, depth NUMERIC(5, 2) NOT NULL DEFAULT 1.5, "
        "keeper INTEGER REFERENCES keeper(id) ON DELETE CASCADE, CHECK (depth > 0 AND depth < 90)); "
        'CREATE TABLE IF NOT EXISTS keeper (id INTEGER, "full name" TEXT, PRIMARY KEY (id))'
    )
    [new] = apply(
        ",".join(f"{name}=1" for name in BY_ROW if not name.startswith("rename")),
        (row("How deep?", schema, "SELECT depth FROM pond"),),
        0,
    )
    for piece in (
        "NUMERIC(5, 2) NOT NULL DEFAULT 1.5",
        "REFERENCES keeper(id) ON DELETE CASCADE",
        '"full name"',
        "PRIMARY KEY AUTOINCREMENT",
        "CHECK (depth > 0 AND depth < 90)",
        "PRIMARY KEY (id)",
    ):
        assert piece in new.schema
    sqlite3.connect(":memory:").executescript(new.schema)


def test_a_table_declared_twice_becomes_one() -> None:
    twice = row(
        "x",
        "CREATE TABLE a (x VARCHAR); CREATE TABLE b (y VARCHAR); CREATE TABLE A (z VARCHAR, x VARCHAR)",
        "SELECT x FROM a",
    )
    [new] = apply("declared-keys=1", (twice,), seed=3)
    assert new.schema.upper().count("CREATE TABLE A ") == 1
    assert names(new.schema) == {"a": {"id", "x", "z"}, "b": {"id", "y"}}


def test_the_same_seed_gives_the_same_examples_whatever_python_s_hashes() -> None:
    code = (
        "from tinkersql.corpus.generate import generate; from tinkersql.corpus.recipes import enrich; import json;"
        "rows = [e for e in generate(60, 5)];"
        "print(json.dumps([(e.schema, e.gold) for e in enrich('full-schemas,rename-identifiers', rows, 3).examples]))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": h}, capture_output=True, check=True
        )
        for h in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert len(json.loads(runs[0].stdout)) == 60
    assert apply("full-schemas", LARGE, 1) != apply("full-schemas", LARGE, 2)


def test_an_example_s_changes_do_not_depend_on_how_many_follow_or_on_other_recipes() -> None:
    spec = "keep-plain,rename-identifiers=0.5,shuffle-columns"
    assert apply(spec, LARGE[:50], 0) == apply(spec, LARGE, 0)[:50] == enrich(spec, LARGE, 0, limit=50).examples
    order = ["shuffle-columns", "distractor-columns"]
    assert apply(",".join(order), LARGE, 0) == apply(",".join(reversed(order)), LARGE, 0)


def test_a_share_is_kept() -> None:
    counts = enrich("keep-plain=0.4,shuffle-columns=0.5", LARGE, seed=0).counts
    assert counts["keep-plain"] / len(LARGE) == pytest.approx(0.4, abs=0.1)
    assert counts["shuffle-columns"] / len(LARGE) == pytest.approx(0.3, abs=0.1)
    assert apply("keep-plain=1", LARGE, seed=0) == LARGE


@pytest.mark.parametrize(("share", "rows"), [(0.5, 60), (0.25, 90), (0.75, 40)])
def test_generated_examples_stand_between_the_rows_in_any_beginning(share, rows) -> None:
    data = ROWS * (rows // len(ROWS) + 1)
    enriched = enrich(f"mix-generated={share}", data[:rows], seed=0)
    added = [bool(example.pattern) for example in enriched.examples]
    assert tuple(e for e in enriched.examples if not e.pattern) == data[:rows]
    assert sum(added) == enriched.counts["mix-generated"] == round(rows * share / (1 - share))
    assert all(abs(sum(added[:n]) - share * n) <= 3 for n in range(len(added)))
    assert enrich(f"mix-generated={share}", data[:rows], seed=0, limit=20).examples == enriched.examples[:20]


def test_only_the_generator_s_training_split_is_mixed_in() -> None:
    added = [e for e in apply("mix-generated=0.9", ROWS, seed=0) if e.pattern]
    assert len(added) > 60
    assert not any(is_held_out_domain(example.domain) for example in added)
    assert generated_split(added) == (added, [])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("distracter-columns", "no such recipe.*distractor-columns.*full-schemas"),
        ("shuffle-columns,shuffle-columns", "given twice"),
        ("all,mix-generated=0.3,mix-generated", "mix-generated is given twice"),
        ("all,full-schemas", "give one of full-schemas and all"),
        ("keep-plain=1,shuffle-columns", "every row is exempt, and shuffle-columns would change none"),
        ("full-schemas,keep-plain=1", "every row is exempt"),
        ("mix-generated=1", "use --data built-in"),
        ("shuffle-columns=0", "above 0"),
        ("shuffle-columns=1.5", "above 0"),
        ("shuffle-columns=nan", "above 0"),
        ("shuffle-columns=", "above 0"),
        ("full-schemas=0.5", "full-schemas stands for several recipes and takes no share"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_in_one_line(spec, message) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        parse(spec)
    assert "\n" not in str(caught.value)


def test_commas_to_spare_do_not_matter() -> None:
    assert parse("shuffle-columns,,declared-keys, ") == parse("shuffle-columns,declared-keys")
    assert parse(",") == parse("") == ()


def test_a_recipe_that_is_named_has_its_own_share_in_a_combination() -> None:
    shares = {recipe.name: share for recipe, share in parse("distractor-columns=0.3,full-schemas,declared-keys=1")}
    whole = {recipe.name: share for recipe, share in parse("full-schemas")}
    assert shares == whole | {"distractor-columns": 0.3, "declared-keys": 1}
    assert {recipe.name: share for recipe, share in parse("all,mix-generated=0.3")}["mix-generated"] == 0.3


def test_generated_examples_among_their_like_are_refused() -> None:
    with pytest.raises(SettingsError, match="generated already"):
        apply("mix-generated", LARGE, seed=0)


def test_the_documentation_gives_the_shares_that_are_used() -> None:
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text("utf-8")
    shares = dict(re.findall(r"^\| `([a-z-]+)` \(([\d.]+)\) \|", text, re.MULTILINE))
    assert {name: float(share) for name, share in shares.items()} == {r.name: r.share for r in RECIPES.values()}
    [stands_for] = re.findall(r"^`full-schemas` stands for (.*?);", text, re.MULTILINE | re.DOTALL)
    assert parse(",".join(re.findall("`(.*?)`", stands_for))) == parse("full-schemas")


def test_a_column_called_pattern_makes_no_row_a_generated_one() -> None:
    tagged = tuple(replace(example, domain="birds", pattern="multi-hop") for example in ROWS)
    assert len(apply("mix-generated=0.5", tagged, seed=0)) == 2 * len(ROWS)
    assert all(map(is_generated, LARGE))


def test_every_combination_is_made_of_recipes_and_an_empty_spec_of_none() -> None:
    assert {recipe.name for recipe, _ in parse("all")} == set(RECIPES)
    assert {recipe.name: share for recipe, share in parse("full-schemas")}["distractor-columns"] == 1
    assert parse(" ") == ()
    assert apply("", ROWS, seed=0) == ROWS
