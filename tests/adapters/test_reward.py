"""The reward function, called as TRL calls it: columns as lists, one reward for each completion."""

import copy
import pickle
from collections import defaultdict
from typing import Any

import pytest

from tinkersql.adapters.trl import SqlReward
from tinkersql.equivalence import Assumptions, Verdict
from tinkersql.errors import DataError, SettingsError

SCHEMA = "CREATE TABLE trees (id INTEGER, name VARCHAR, height REAL)"
GOLD = "SELECT name FROM trees WHERE height > 5"
ANSWERS = {
    "```sql\nSELECT t.name FROM trees AS t WHERE t.height > 5;\n```<|im_end|>": 1.0,
    "SELECT name FROM trees": 0.1,
    "SELECT 1": 0.1,
    "SELECT nothing FROM trees": 0.0,
    "DROP TABLE trees": 0.0,
    "I cannot say": 0.0,
    "": 0.0,
    "\0\ud800": 0.0,
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n": 0.0,
}


class Trainer:
    """What GRPOTrainer hands to a reward function besides the columns."""

    def __init__(self) -> None:
        self.extra: dict[str, list] = defaultdict(list)
        self.metrics: dict[str, list[float]] = defaultdict(list)

    def call(self, reward, completions, **columns):
        return reward(
            prompts=["Which trees are high?"] * len(completions),
            completions=completions,
            completion_ids=[[1, 2]] * len(completions),
            **columns,
            trainer_state=object(),
            log_extra=lambda column, values: self.extra[column].extend(values),
            log_metric=lambda name, value: self.metrics[name].append(value),
        )


def ask(reward: SqlReward, completions: list, gold: Any = GOLD, schema: Any = SCHEMA) -> list[float | None]:
    count = len(completions)
    return Trainer().call(reward, completions, schema=[schema] * count, gold=[gold] * count)


def test_each_answer_earns_what_its_verdict_is_worth():
    assert ask(SqlReward(), list(ANSWERS)) == list(ANSWERS.values())
    weighted = SqlReward(match=2.0, runs=0.0, error=-1.0)
    assert ask(weighted, list(ANSWERS)) == [{1.0: 2.0, 0.1: 0.0, 0.0: -1.0}[value] for value in ANSWERS.values()]


def test_conversations_count_by_their_last_answer():
    right, wrong = {"role": "assistant", "content": GOLD}, {"role": "assistant", "content": "SELECT 1"}
    parts = {"role": "assistant", "content": [{"type": "image"}, {"type": "text", "text": GOLD}]}
    tool = {"role": "tool", "name": "look", "content": GOLD}
    silent = {"role": "assistant", "content": None, "tool_calls": []}
    completions = [[right], [wrong, right], [right, wrong], [parts], [wrong, tool], [silent], []]
    assert ask(SqlReward(), completions) == [1.0, 1.0, 0.1, 1.0, 0.1, 0.0, 0.0]


def test_guessing_more_than_once_does_not_pay():
    wrong = "SELECT name FROM trees WHERE height > 4"
    answers = [f"{wrong}; {GOLD}", f"{wrong}\n\n{GOLD}", f"```sql\n{wrong}\n```\n```sql\n{GOLD}\n```"]
    assert ask(SqlReward(), answers) == [0.1] * 3


def test_long_answers_can_be_refused():
    padded = GOLD + " " * 500
    assert ask(SqlReward(max_characters=len(GOLD)), [GOLD, padded]) == [1.0, 0.0]
    assert ask(SqlReward(), [padded]) == [1.0]


def test_a_gold_that_does_not_run_earns_nothing_and_costs_nothing():
    assert ask(SqlReward(), [GOLD, "SELECT 1", ""], gold="SELECT nothing FROM trees") == [None] * 3
    assert ask(SqlReward(), [GOLD], schema="no schema") == [None]
    assert ask(SqlReward(), [GOLD], gold=[]) == [None]


def test_rows_of_other_tasks_are_left_out():
    trainer = Trainer()
    rewards = trainer.call(SqlReward(), [GOLD] * 3, schema=[SCHEMA, None, SCHEMA], gold=[GOLD, GOLD, None])
    assert rewards == [1.0, None, None]
    assert trainer.extra["sql_verdict"] == ["match", "not_applicable", "not_applicable"]


def test_any_of_several_golds_earns_the_reward():
    assert ask(SqlReward(), [GOLD, "SELECT id FROM trees"], gold=["SELECT id FROM trees", GOLD]) == [1.0, 1.0]


def test_columns_are_named_by_the_user():
    reward = SqlReward(schema="context", gold="answer")
    assert Trainer().call(reward, [GOLD], context=[SCHEMA], answer=[GOLD], schema=[""]) == [1.0]
    with pytest.raises(DataError, match=r"no column 'context' .*completion_ids, schema, trainer_state.*SqlReward"):
        Trainer().call(reward, [GOLD], schema=[SCHEMA])
    for schema, gold in ((3, GOLD), (SCHEMA, 3), (SCHEMA, [3])):
        with pytest.raises(DataError, match="must hold text"):
            ask(SqlReward(), [GOLD], schema=schema, gold=gold)


@pytest.mark.parametrize(("schemas", "golds", "column"), [(2, 3, "schema"), (3, 1, "gold"), (0, 3, "schema")])
def test_a_column_of_another_length_is_named(schemas, golds, column):
    with pytest.raises(DataError, match=rf"column '{column}' has \d values for 3 completions"):
        SqlReward()([GOLD] * 3, schema=[SCHEMA] * schemas, gold=[GOLD] * golds)


def test_assumptions_and_workers_are_the_callers():
    gold, count = "SELECT count(*) FROM trees", ["SELECT count(name) FROM trees"]
    assert ask(SqlReward(), count, gold=gold) == [1.0]
    assert ask(SqlReward(assumptions=Assumptions.OPEN_WORLD), count, gold=gold) == [0.1]
    assert ask(SqlReward(workers=2), list(ANSWERS) * 2) == list(ANSWERS.values()) * 2


def test_verdicts_are_logged():
    trainer = Trainer()
    answers = [GOLD, GOLD, "SELECT 1", "SELECT nothing", "x" * 999]
    trainer.call(SqlReward(max_characters=500), answers, schema=[SCHEMA] * 5, gold=[GOLD] * 5)
    assert trainer.extra["sql_verdict"] == ["match", "match", "different", "prediction_error", "too_long"]
    assert set(trainer.metrics) == {f"sql/{verdict}" for verdict in Verdict}
    assert trainer.metrics["sql/match"] == [0.4]
    assert SqlReward()([GOLD], schema=[SCHEMA], gold=[GOLD]) == [1.0]


def test_copies_are_the_same_reward():
    reward = SqlReward(gold="answer", runs=0.2, name="sql")
    for other in (pickle.loads(pickle.dumps(reward)), copy.deepcopy(reward)):
        assert other == reward
        assert other.__name__ == "sql"
    assert SqlReward().__name__ == "sql_reward"


@pytest.mark.parametrize(
    "options",
    [{"runs": 1.0}, {"runs": -0.1}, {"match": float("nan")}, {"workers": 0}, {"max_characters": 0}],
)
def test_settings_that_make_no_sense(options):
    with pytest.raises(SettingsError):
        SqlReward(**options)
    with pytest.raises(ValueError, match="closed_world"):
        SqlReward(assumptions="closed_world")  # type: ignore[arg-type]
