"""The public functions of tinkersql.equivalence."""

import json
import subprocess
import sys
import threading
from itertools import count, islice

import pytest

from tinkersql import sql_matches
from tinkersql.equivalence import Assumptions, Comparison, Verdict, compare, compare_many

SCHEMA = "CREATE TABLE orders (id INTEGER, customer VARCHAR, amount REAL)"
GOLD = "SELECT customer FROM orders WHERE amount > 5"


def test_any_of_several_golds_will_do():
    golds = [GOLD, "SELECT customer, amount FROM orders WHERE amount > 5"]
    assert compare(SCHEMA, golds, "SELECT customer, amount FROM orders WHERE NOT amount <= 5").verdict is Verdict.MATCH
    answer = compare(SCHEMA, golds, "SELECT customer FROM orders")
    assert answer.verdict is Verdict.DIFFERENT
    assert answer.witness is not None
    assert answer.witness.gold_sql == golds[0]


def test_a_broken_gold_beside_a_sound_one_does_not_count():
    assert compare(SCHEMA, ["SELECT nothing FROM orders", GOLD], GOLD).verdict is Verdict.MATCH
    assert compare(SCHEMA, ["SELECT nothing FROM orders", GOLD], "SELECT id FROM orders").verdict is Verdict.DIFFERENT
    assert compare(SCHEMA, [], GOLD).verdict is Verdict.GOLD_ERROR


def test_answers_survive_json():
    for predicted in (GOLD, "SELECT id FROM orders", "nothing"):
        answer = compare(SCHEMA, GOLD, predicted)
        assert Comparison.from_dict(json.loads(json.dumps(answer.to_dict()))) == answer


def test_the_answer_says_what_was_found():
    answer = compare(SCHEMA, GOLD, f"```sql\n{GOLD.replace('5', '6')};\n```")
    assert answer.predicted == GOLD.replace("5", "6")
    assert answer.assumptions is Assumptions.HEADLINE
    assert answer.adequacy is not None
    assert "\n" not in answer.reason
    swapped = compare(SCHEMA, "SELECT id, amount FROM orders", "SELECT amount, id FROM orders")
    assert swapped.verdict is Verdict.MATCH
    assert any("order" in note for note in swapped.notes)
    translated = compare(SCHEMA, GOLD, "SELECT TOP 3 customer FROM orders WHERE amount > 5 ORDER BY id")
    assert any("translated" in note for note in translated.notes)


def test_witnesses_are_small(replay):
    answer = compare(SCHEMA, GOLD, GOLD.replace(">", ">="))
    replay(answer)
    assert answer.witness is not None
    assert answer.witness.script.count("\n  (") == 1


def test_assumptions_may_be_given_by_name():
    assert compare(SCHEMA, GOLD, GOLD, assumptions="open_world").assumptions is Assumptions.OPEN_WORLD  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no_such"):
        compare(SCHEMA, GOLD, GOLD, assumptions="no_such")  # type: ignore[arg-type]


def test_many_pairs_come_in_order_and_only_as_they_are_needed():
    taken = []

    def endless():
        for number in count():
            taken.append(number)
            yield SCHEMA, GOLD, GOLD if number % 3 else GOLD.replace("5", str(number + 6))

    answers = list(islice(compare_many(endless(), workers=2), 12))
    assert [answer.matches for answer in answers] == [number % 3 != 0 for number in range(12)]
    assert len(taken) < 300


def test_several_threads_may_compare_at_once():
    expected = [compare(SCHEMA, GOLD, GOLD.replace("5", str(number))) for number in range(8)]
    found: dict[int, Comparison] = {}

    def work(number):
        found[number] = compare(SCHEMA, GOLD, GOLD.replace("5", str(number)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(8)] == expected


@pytest.mark.parametrize(
    ("generated", "expected", "schema", "same"),
    [
        ("SELECT customer FROM orders WHERE 5 < amount", GOLD, SCHEMA, True),
        ("SELECT customer FROM orders WHERE amount > 6", GOLD, SCHEMA, False),
        ("", GOLD, SCHEMA, False),
        ("select a from t;", "SELECT  a\nFROM t", "", True),
        ("SELECT b FROM t", "SELECT a FROM t", "", False),
        ("", "", "", False),
    ],
)
def test_sql_matches(generated, expected, schema, same):
    assert sql_matches(generated, expected, schema) is same


def test_the_package_is_light_and_the_parser_stays_in_the_worker():
    script = (
        "import sys, tinkersql\n"
        "assert not {'sqlglot', 'torch', 'tinker', 'transformers', 'tinkersql.equivalence'} & set(sys.modules)\n"
        "from tinkersql import sql_matches\n"
        f"assert sql_matches({GOLD!r}, {GOLD!r}, {SCHEMA!r})\n"
        "assert not {'sqlglot', 'torch', 'tinker', 'transformers'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    "predicted",
    [
        f"SELECT customer FROM orders WHERE customer = '{'x' * 1_000_000}'",
        "SELECT customer FROM orders WHERE amount > 1" + " + 1" * 250_000,
        "SELECT " + "(" * 100_000,
        "a " * 500_000,
        "```sql\n" * 100_000,
        "SELECT customer" + "\\n" * 500_000,
        "SELECT [INST]" + "[INST]" * 600,
        "\0",
        "SELECT customer\0 FROM orders",
        "SELECT customer FROM orders WHERE customer = '\ud800'",
    ],
    ids=lambda predicted: repr(predicted[:30]),
)
def test_text_that_no_database_takes_is_refused_whatever_its_length(predicted):
    verdict = compare(SCHEMA, GOLD, predicted).verdict
    assert verdict in (Verdict.PREDICTION_ERROR, Verdict.PREDICTION_OVER_BUDGET)
    assert compare(SCHEMA, GOLD, GOLD).matches


def test_letter_case_outside_ascii_is_ignored_beside_lower_too():
    gold = "SELECT id FROM orders WHERE customer = 'Évora Élan'"
    assert compare(SCHEMA, gold, "SELECT id FROM orders WHERE LOWER(customer) = 'évora élan'").matches
    assert not compare(SCHEMA, gold, "SELECT id FROM orders WHERE LOWER(customer) = 'Évora élan'").matches
    assert not compare(SCHEMA, gold, "SELECT id FROM orders WHERE LOWER(customer) = 'evora elan'").matches
