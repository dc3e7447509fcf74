"""What `tinkersql.corpus.quality` finds in rows, what it repairs, and what it leaves alone."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinkersql.console import Silent
from tinkersql.corpus import Example
from tinkersql.corpus.quality import Audit, Severity, audit, clean
from tinkersql.corpus.quality.wording import holds, holds_number
from tinkersql.corpus.reading import read_file
from tinkersql.equivalence import check_many
from tinkersql.errors import DataError, RunError

SCHEMA = "CREATE TABLE matches (player VARCHAR, score VARCHAR, crowd VARCHAR, fans INTEGER, total VARCHAR)"
SOUND = Example("Who scored 3?", SCHEMA, ('SELECT player FROM matches WHERE score = "3"',))


def row(question: str, gold: str, schema: str = SCHEMA) -> Example:
    return Example(question, schema, (gold,))


def several(question: str, *golds: str, **facts: Any) -> Example:
    return Example(question, SCHEMA, golds, **facts)


def looked_at(*examples: Example) -> Audit:
    return audit(examples, Silent())


def causes(found: Audit, number: int) -> list[str]:
    return [finding.cause.name for finding in found.findings if finding.row == number]


def test_golds_that_do_not_run():
    endless = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT COUNT(*) FROM r"
    broken = [
        ("matches: player, score", "SELECT player FROM matches", "unreadable schema"),
        (SCHEMA, "SELECT player FROM matches WHERE", "unparsable SQL"),
        (SCHEMA, "DELETE FROM matches", "unparsable SQL"),
        (SCHEMA, "SELECT player FROM matches; SELECT score FROM matches", "unparsable SQL"),
        (SCHEMA, "SELECT coach FROM matches", "missing table or column"),
        (SCHEMA, "SELECT shout(player) FROM matches", "runtime error"),
        (SCHEMA, endless, "over budget"),
    ]
    found = looked_at(SOUND, *(row("Which player?", gold, schema) for schema, gold, _ in broken))
    assert [causes(found, number) for number in range(1, 9)] == [[], *([cause] for _, _, cause in broken)]
    assert list(found.rows) == [1]


SELECT = "SELECT player FROM matches WHERE "


DAMAGED = [
    ("Crowd over 92,719?", "crowd > 92 OFFSET 719", "torn number", "crowd > 92719"),
    ("Crowd over 92719?", "crowd > 92 OFFSET 719", "torn number", "crowd > 92719"),
    ("Crowd over 1,145.5?", "crowd > 1 OFFSET 145.5", "torn number", "crowd > 1145.5"),
    ("Crowd of 92,719?", "crowd = 92 OFFSET 719", "torn number", 'crowd = "92,719"'),
    ("Fans of 92,719?", "fans = 92 OFFSET 719", "torn number", "fans = 92719"),
    ("Crowd at most 92,719?", "crowd <= 92 OFFSET 719", "torn number", "crowd <= 92719"),
    ("Crowd over 92,71?", "crowd > 92 OFFSET 71", "torn number", ""),
    ("Crowd over many?", "crowd > 92 OFFSET 719", "torn number", ""),
    ("Crowd over 192,719?", "crowd > 92 OFFSET 719", "torn number", ""),
    ("Who had 70-68=138?", "score = 70 - 68 = 138", "torn value", 'score = "70-68=138"'),
    ("Who had –9 (70-68=138)?", "score = –9(70 - 68 = 138)", "torn value", 'score = "–9 (70-68=138)"'),
    ("Who had 2.6/8 and 3?", "score = 2.6 / 8 AND fans = 3", "torn value", 'score = "2.6/8" AND fans = 3'),
    ("Is player Sean O'Hair?", "player = 'Sean O'Hair'", "quote inside a value", "player = 'Sean O''Hair'"),
    ("Is player O'Hair?", r"player = 'O\'Hair'", "quote inside a value", "player = 'O''Hair'"),
    (
        "Is total x and player O'Hair or Ann?",
        "total = 'x' AND (player = 'O'Hair' OR player = 'Ann')",
        "quote inside a value",
        "total = 'x' AND (player = 'O''Hair' OR player = 'Ann')",
    ),
    ("Is player Ann?", 'player = "Ann', "unbalanced quote", 'player = "Ann"'),
    ("Is player Ann?", 'player = "Ann AND fans = 3', "unbalanced quote", ""),
    (
        "Is player total?",
        'player = "total" AND fans = 3',
        "value read as a column",
        "player = 'total' AND fans = 3",
    ),
    ("Is player the sum?", 'player = "total"', "value read as a column", ""),
    ("Is player Ann?", 'player = "var0"', "placeholder", ""),
    ("Is player var0?", 'player = "var0" AND score = "var1 > var2"', "placeholder", ""),
    ("How many in 2012?", "2012 = 5", "torn name", ""),
    ("How many in 2012?", '2012 = "x" AND fans = 3', "torn name", ""),
]
SOUND_GOLDS = [
    "SELECT player FROM matches ORDER BY fans LIMIT 3 OFFSET 719",
    "SELECT player FROM matches WHERE fans > 2 * 3 AND fans BETWEEN 2 AND 3",
    "SELECT player FROM matches WHERE 1 = 1 AND EXISTS (SELECT 1 FROM matches)",
    "SELECT COUNT(1), ROUND(AVG(fans), 2) FROM matches",
    'SELECT "player" FROM "matches" WHERE "score" = "total"',
    "SELECT player FROM matches WHERE score = total",
    "SELECT player AS _best, COUNT(*) AS n FROM matches GROUP BY player",
    "SELECT a.player FROM matches AS a JOIN matches AS b ON a.\"score\" = b.\"total\" WHERE a.player = 'O''Hair'",
]


@pytest.fixture(scope="module")
def damaged() -> Audit:
    return looked_at(SOUND, *(row(question, SELECT + gold) for question, gold, _, _ in DAMAGED))


@pytest.mark.parametrize("number", range(len(DAMAGED)))
def test_damage_is_named_and_repaired_where_the_question_is_sure(damaged, number):
    _, _, cause, repaired = DAMAGED[number]
    assert causes(damaged, number + 2)[0] == cause
    kept = damaged.rows.get(number + 2)
    assert (kept and kept.gold) == (SELECT + repaired if repaired else None)


def test_a_torn_name_is_beyond_repair_even_where_it_runs():
    items = ["54 AS _holes", "1 AS st_leg", "SUM(1978 AS _members)", "COUNT(50 AS s)", "'cup' AS _holder"]
    items += ["2011", "MAX(2011)", "score, 000", "score AS $_", "MAX AS $_"]
    found = looked_at(SOUND, *(row("Which cup in 2011?", f"SELECT {item} FROM matches") for item in items))
    assert [causes(found, number)[0] for number in range(2, 2 + len(items))] == ["torn name"] * len(items)
    assert list(found.rows) == [1]


def test_an_alias_that_cannot_be_read_is_left_out():
    found = looked_at(SOUND, row("Most fans?", "SELECT MAX(fans) AS $_m_ FROM matches WHERE score = total"))
    assert found.rows[2].gold == "SELECT MAX(fans) FROM matches WHERE score = total"
    assert causes(found, 2)[0] == "torn name"


def test_sound_golds_show_no_error():
    found = looked_at(*(row(f"Which {n} has 2 or 3, 719, 1, O'Hair?", gold) for n, gold in enumerate(SOUND_GOLDS)))
    assert [finding for finding in found.findings if finding.cause.severity is Severity.ERROR] == []


def test_a_repair_that_does_not_run_or_leaves_other_damage_is_none():
    found = looked_at(
        SOUND,
        row("Over 92,719 by shout?", SELECT + "shout(crowd) > 92 OFFSET 719"),
        row("Over 92,719 and total?", SELECT + 'player = "total" AND crowd > 92 OFFSET 719'),
        row("Over 92,719?", SELECT + '2012 = "x" AND crowd > 92 OFFSET 719'),
    )
    assert [causes(found, number) for number in (2, 3, 4)] == [["torn number"], ["torn number"], ["torn name"]]
    assert not any(finding.repair for finding in found.findings)


def test_duplicates_and_contradictions():
    found = looked_at(
        row("Who has 3 fans?", SELECT + "fans = 3"),
        row("who has 3 fans ?", "select player from MATCHES where fans = 3;"),
        row("Who has 4 fans?", SELECT + "fans = 4"),
        row("Who has 4 fans?", SELECT + "fans > 4"),
        row("Who has 4 fans?", SELECT + "NOT fans > 4"),
        row("Who has 5 fans?", SELECT + "fans = 5"),
        row("Who has 5 fans?", SELECT + "5 = fans"),
        row("Who has 6 fans?", SELECT + "fans = 6"),
        row("Who has 6 fans?", SELECT + "fans > 6", SCHEMA.replace("total", "goals")),
        row("Who has 7 fans?", SELECT + "coach = 7"),
        row("Who has 7 fans?", SELECT + "fans = 7"),
    )
    named = {number: causes(found, number) for number in range(1, 12)}
    assert {number for number, names in named.items() if "duplicate" in names} == {2}
    assert {number for number, names in named.items() if "contradiction" in names} == {3, 4, 5}
    assert named[6] == named[7] == named[8] == named[9] == named[11] == []


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("Who is O'HAIR, Sean?", "sean o'hair"),
        ("Which café?", "Cafe"),
        ("On April 5, 2008?", "2008-04-05"),
        ("Crowd of 92719?", "92,719"),
        ("Which ducks?", "duck"),
        ("Names with Ann in them?", "%ann%"),
        ("How many female students?", "F"),
        ("Which three?", "3"),
    ],
)
def test_a_question_holds_a_value_in_other_forms(question, value):
    assert holds(question, value)


@pytest.mark.parametrize("value", ["France", "F", "12", "an", "2008-04-05"])
def test_a_question_does_not_hold_what_it_does_not_say(value):
    assert not holds("Which bank opened in 2012 in April 2008?", value)


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("More than 92,719?", 92719),
        ("More than 2.5 million?", 2_500_000),
        ("The top three?", 3),
        ("Older than twenty-five?", 25),
        ("More than one?", 1),
        ("Who has no fans?", 0),
        ("Five hundred?", 500),
        ("Below -3.5?", 3.5),
    ],
)
def test_a_question_holds_a_number_in_digits_or_words(question, number):
    assert holds_number(question, number)
    assert not holds_number("Which duck?", number)


def test_values_for_a_person_to_judge():
    found = looked_at(
        row("Who scored most at home?", SELECT + "score = \"x-y\" AND fans > 17 AND player LIKE 'home%'"),
        row("Best?", "SELECT ROUND(AVG(fans), 2) FROM matches ORDER BY fans LIMIT 1"),
        row('Who sang "Rain"?', SELECT + "total = \"'Rain'\""),
        row("Whose crowd was total?", SELECT + "crowd = total"),
    )
    seen = [(finding.row, finding.cause.name, finding.detail) for finding in found.findings]
    assert seen == [
        (1, "literal not in the question", "x-y, 17"),
        (3, "quotes within quotes", "'Rain'"),
        (4, "value without quotes", "crowd = total"),
    ]
    assert all(finding.cause.severity is Severity.WARNING for finding in found.findings)


def test_an_alternative_may_spell_out_what_the_question_says_in_short():
    spelt_out = several("Who scored in May 2023?", SELECT + 'score LIKE "2023-05%"', SELECT + "score > '2023-04-30'")
    found = looked_at(spelt_out, several("Who scored in June 2023?", *spelt_out.golds[::-1]))
    assert [(f.row, f.cause.name) for f in found.findings] == [(2, "literal not in the question")]


def test_data_in_which_no_gold_runs_is_refused():
    with pytest.raises(DataError, match=r"none of the 2 golds runs on its schema \(row 1: no such column: coach\)"):
        looked_at(*[row("Who?", "SELECT coach FROM matches")] * 2)


ROWS = (
    SOUND,
    row(" Crowd over 92,719? ", SELECT + "crowd > 92 OFFSET 719 ;"),
    row("Which coach?", "SELECT coach FROM matches"),
    SOUND,
    row("How many fans has Ann?", 'SELECT fans FROM matches WHERE player = "Zoë"'),
)


@pytest.fixture(scope="module")
def mixed() -> Audit:
    return looked_at(*ROWS)


@pytest.mark.parametrize("name", ["clean.json", "clean.jsonl"])
def test_a_cleaned_copy_and_its_log(mixed, tmp_path, name):
    done = clean(mixed, tmp_path / name)
    kept = read_file(tmp_path / name)
    assert kept == (SOUND, row("Crowd over 92,719?", SELECT + "crowd > 92719"), ROWS[4])
    assert (done.rows, done.dropped, done.repaired) == (3, 2, 1)
    log = [json.loads(line) for line in done.log.read_text("utf-8").splitlines()]
    assert [(entry["row"], entry["cause"], entry["action"]) for entry in log] == [
        (2, "torn number", "repaired"),
        (3, "missing table or column", "dropped"),
        (4, "duplicate", "dropped"),
    ]
    assert log[0]["before"] == {"question": ROWS[1].question, "answer": ROWS[1].gold}
    assert log[0]["after"] == {"question": kept[1].question, "answer": kept[1].gold}
    assert log[1]["before"]["answer"] == "SELECT coach FROM matches"
    assert log[1]["after"] is None
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, f"{name}.log.jsonl"])


def test_a_cleaned_copy_shows_no_error(mixed, tmp_path):
    clean(mixed, tmp_path / "clean.json")
    again = audit(read_file(tmp_path / "clean.json"), Silent())
    assert [finding for finding in again.findings if finding.cause.severity is Severity.ERROR] == []


def test_sound_data_is_copied_as_it_is(tmp_path):
    done = clean(looked_at(SOUND), tmp_path / "clean.json")
    assert read_file(done.path) == (SOUND,)
    assert done.log.read_text() == ""


def test_data_of_which_nothing_is_left_is_not_written(tmp_path):
    with pytest.raises(DataError, match="no row is left"):
        clean(looked_at(row("Who?", SELECT + "fans > 4"), row("Who?", SELECT + "fans = 4")), tmp_path / "clean.json")
    assert list(tmp_path.iterdir()) == []


ALTERNATIVES = (
    several("Who has 3 fans?", SELECT + "fans = 3", SELECT + "3 = fans", difficulty="easy", skills=("filter",)),
    several("Crowd over 92,719?", SELECT + "crowd > 92719", SELECT + "crowd > 92 OFFSET 719 ;", domain="sport"),
    several("Who has 4 fans?", SELECT + "fans = 4", SELECT + "coach = 4"),
    several("Crowd over 92,719 or 4?", SELECT + "crowd > 92 OFFSET 719", SELECT + "coach = 4"),
    several("Crowd over 1,719?", SELECT + "crowd > 1 OFFSET 719", SELECT + "1 OFFSET 719 < crowd"),
)


def test_every_gold_is_looked_at_and_only_what_is_wrong_is_replaced(tmp_path):
    found = looked_at(*ALTERNATIVES)
    assert [(f.row, f.cause.name, bool(f.repair)) for f in found.findings if f.cause.severity is Severity.ERROR] == [
        (2, "torn number", True),
        (3, "missing table or column", False),
        (4, "missing table or column", False),
        (5, "torn number", False),
    ]
    done = clean(found, tmp_path / "clean.json")
    kept = replace(ALTERNATIVES[1], golds=(SELECT + "crowd > 92719", SELECT + "crowd > 92719"))
    assert read_file(done.path) == (ALTERNATIVES[0], kept)
    first = json.loads(done.log.read_text("utf-8").splitlines()[0])
    assert (first["before"], first["after"]) == (
        {"answer": list(ALTERNATIVES[1].golds)},
        {"answer": list(kept.golds)},
    )


def test_rows_that_share_a_meaning_do_not_contradict_each_other():
    found = looked_at(
        several("Who has 3 fans?", SELECT + "fans = 3"),
        several("Who has 3 fans?", SELECT + "fans > 3", SELECT + "3 = fans"),
        several("Who has 3 fans?", SELECT + "fans = 3", SELECT + "fans > 3"),
        several("Who has 3 fans?", SELECT + "fans > 3", SELECT + "fans = 3;"),
        several("Who has 4 fans?", SELECT + "fans = 4", SELECT + "4 = fans"),
        several("Who has 4 fans?", SELECT + "fans > 4", SELECT + "fans < 4"),
    )
    named = [(f.row, f.cause.name, f.detail) for f in found.findings if f.cause.name != "loose ends"]
    assert named == [
        (4, "duplicate", "as row 3"),
        (5, "contradiction", f"against row 6: {SELECT}fans > 4"),
        (6, "contradiction", f"against row 5: {SELECT}fans = 4"),
    ]


def test_a_place_that_cannot_be_written_keeps_nothing(mixed, tmp_path):
    (tmp_path / "clean.json").mkdir()
    with pytest.raises(RunError, match=r"clean.json: cannot be written \(Is a directory\)"):
        clean(mixed, tmp_path / "clean.json")
    assert [path.name for path in tmp_path.iterdir()] == ["clean.json"]
    with pytest.raises(RunError, match=r"cannot be written \(No such file or directory\)"):
        clean(mixed, tmp_path / "nowhere" / "clean.json")


PIECES = st.sampled_from(
    [
        "player",
        "fans",
        "=",
        ">",
        "'O'Hair'",
        '"total"',
        '"',
        "'",
        "92",
        "OFFSET",
        "719",
        "-",
        "(",
        ")",
        "AND",
        "AS",
        "_x",
    ]
)


@settings(max_examples=4, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=8).map(" ".join), min_size=40, max_size=80))
def test_whatever_the_golds_hold_all_that_is_kept_runs(texts):
    found = looked_at(SOUND, *(row("Is it O'Hair, total or 92,719 - 92?", SELECT + text) for text in texts))
    kept = [(kept.schema, kept.gold) for kept in found.rows.values()]
    assert all(answer.runs for answer in check_many(kept))
