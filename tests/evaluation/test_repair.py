"""Repair and the other methods, asked of a real server: what goes into the prompts, and what it costs."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tinkersql.console import Silent
from tinkersql.corpus import Example
from tinkersql.errors import DataError
from tinkersql.evaluation.methods import Attempt, Method, Model, attempt
from tinkersql.evaluation.repair import repair_prompt
from tinkersql.prompts import Prompts, encode_prompt
from tinkersql.settings import TEMPLATE, Settings

SCHEMA = "CREATE TABLE ducks (name VARCHAR, weight REAL)"
QUESTIONS = tuple(Example(f"Name duck {i}", SCHEMA, (f"SELECT name FROM ducks WHERE weight = {i}",)) for i in range(3))
POOL = tuple(Example(f"Weigh duck {i}", SCHEMA, (f"SELECT weight FROM ducks WHERE name = {i}",)) for i in range(9))
SETTINGS = Settings(max_tokens=12, stops=("\n\n",))


@pytest.fixture(scope="module")
def model(engine) -> Iterator[Model]:
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(engine.client())
        trainer = service.create_lora_training_client(engine.model, rank=2).result()
        sampler = trainer.save_weights_and_get_sampling_client().result()
        yield Model("base", sampler, trainer.get_tokenizer(), 512)


def asked(model: Model, method: Method, pool=(), settings: Settings = SETTINGS) -> list[Attempt]:
    return attempt(model, method, settings, pool, QUESTIONS, Silent())


def tokens(model: Model, *shots: Example, example: Example) -> int:
    return len(encode_prompt(model.tokenizer, Prompts(TEMPLATE, shots).prompt(example)))


def test_the_second_prompt_holds_the_query_and_its_error() -> None:
    prompt = Prompts(TEMPLATE).prompt(QUESTIONS[0])
    again = repair_prompt(prompt, "SELECT nome FROM ducks", "no such column: nome")
    assert again == prompt + " SELECT nome FROM ducks\n-- Error: no such column: nome\nSQL: "
    assert repair_prompt("One line", "", "no SQL") == "One line \n-- Error: no SQL\nOne line"


def test_an_answer_that_does_not_run_is_asked_for_once_more(model) -> None:
    """A random model never writes SQL, so each of its answers goes back."""
    first = asked(model, Method())
    second = asked(model, Method(repair=True))
    for before, after, example in zip(first, second, QUESTIONS, strict=True):
        assert after.how["repaired"]["answer"] == before.answer.text
        assert after.how["repaired"]["error"]
        assert after.answer.tokens > before.answer.tokens
        assert after.answer.prompt_tokens > 2 * tokens(model, example=example)


def test_where_the_second_prompt_does_not_fit_the_first_answer_stands(model) -> None:
    room = max(tokens(model, example=example) for example in QUESTIONS) + 1
    small = replace(model, context_length=room)
    assert asked(small, Method(repair=True)) == asked(small, Method())


def test_votes_cost_all_answers_and_repeat_with_their_seed(model) -> None:
    voted = asked(model, Method(votes=3))
    assert voted == asked(model, Method(votes=3))
    assert [a.how["votes"] for a in voted] == [[], [], []]
    assert all(a.answer.tokens > SETTINGS.max_tokens for a in voted)
    assert [a.answer.text for a in voted] != [
        a.answer.text for a in asked(model, Method(votes=3), settings=replace(SETTINGS, seed=99))
    ]


def test_prompts_hold_the_shots_that_fit(model) -> None:
    few = asked(model, Method("few-shot", 2), POOL)
    assert [a.answer.prompt_tokens for a in few] == [tokens(model, *POOL[:2], example=e) for e in QUESTIONS]
    room = tokens(model, POOL[1], example=QUESTIONS[0]) + SETTINGS.max_tokens
    small = replace(model, context_length=room)
    fitting = asked(small, Method("few-shot", 2), POOL)
    assert [a.how["shots"] for a in fitting] == [1, 1, 1]
    assert fitting[0].answer.prompt_tokens == tokens(model, POOL[1], example=QUESTIONS[0])


def test_the_question_never_stands_in_its_own_prompt(model) -> None:
    found = asked(model, Method("retrieval", 1), (*QUESTIONS, POOL[0]))
    assert [a.answer.prompt_tokens for a in found] == [tokens(model, POOL[0], example=e) for e in QUESTIONS]
    with pytest.raises(DataError, match="all of them are among the questions"):
        asked(model, Method("retrieval", 1), QUESTIONS)


def test_methods_are_told_apart_by_their_names() -> None:
    methods = [Method(), Method("few-shot", 2), Method("retrieval"), Method(votes=5), Method("retrieval", repair=True)]
    names = ["tuned", "tuned-2-shot", "tuned-retrieval", "tuned-votes-5", "tuned-retrieval-repair"]
    assert [method.label("tuned") for method in methods] == names
