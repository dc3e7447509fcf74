from transformers import AutoTokenizer

from tinkersql.corpus import Example
from tinkersql.prompts import Prompts, encode_datum, encode_prompt, stop_texts
from tinkersql.settings import STOPS, TEMPLATE

DUCKS = Example("How many ducks?", "CREATE TABLE ducks (name VARCHAR)", ("SELECT COUNT(*) FROM ducks",))
GEESE = Example("Which geese?", "CREATE TABLE geese (name VARCHAR)", ("SELECT name FROM geese",))


def test_the_exercise_s_text() -> None:
    prompts = Prompts(TEMPLATE)
    assert prompts.prompt(DUCKS) == "Table schema:\nCREATE TABLE ducks (name VARCHAR)\nQuestion: How many ducks?\nSQL: "
    assert prompts.completion(DUCKS) == " SELECT COUNT(*) FROM ducks\n\n"


def test_shots_stand_before_the_question_as_solved_examples() -> None:
    plain, few = Prompts(TEMPLATE), Prompts(TEMPLATE, shots=(GEESE,))
    assert few.prompt(DUCKS) == plain.prompt(GEESE) + plain.completion(GEESE) + plain.prompt(DUCKS)


def test_a_datum_predicts_each_next_token_and_weighs_the_completion_only(tiny_model) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    prompts = Prompts(TEMPLATE)
    prompt = encode_prompt(tokenizer, prompts.prompt(DUCKS))
    datum = encode_datum(tokenizer, prompts, DUCKS)
    inputs = datum.model_input.to_ints()
    targets = datum.loss_fn_inputs["target_tokens"].data
    weights = datum.loss_fn_inputs["weights"].data
    assert len(inputs) == len(targets) == len(weights)
    assert list(inputs[1:]) == list(targets[:-1])
    weighted = [token for token, weight in zip(targets, weights, strict=True) if weight == 1.0]
    assert tokenizer.decode(weighted) == prompts.completion(DUCKS)
    assert sum(weight == 0.0 for weight in weights) == len(prompt) - 1


def test_the_model_s_end_token_is_a_stop(tiny_model) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    assert stop_texts(tokenizer, STOPS) == [*STOPS, tokenizer.eos_token]
    assert stop_texts(tokenizer, [tokenizer.eos_token]) == [tokenizer.eos_token]
