"""An example as text, and as a Tinker Datum."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinkersql.corpus import Example

if TYPE_CHECKING:
    import tinker
    from transformers import PreTrainedTokenizerBase

END = "\n\n"
"""The blank line that ends every completion, so that the model learns to stop."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """How an example is written: the same for base and tuned model, in training and in evaluation.

    Attributes:
        template: Text with ``{schema}`` and ``{question}``.
        shots: Solved examples that stand before the question (the few-shot baseline).
    """

    template: str
    shots: tuple[Example, ...] = ()

    def prompt(self, example: Example) -> str:
        """What the model is given."""
        solved = "".join(self._fill(shot) + self.completion(shot) for shot in self.shots)
        return solved + self._fill(example)

    def completion(self, example: Example) -> str:
        """What the model shall write: a space, the gold query and a blank line."""
        return f" {example.gold}{END}"

    def _fill(self, example: Example) -> str:
        return self.template.format(schema=example.schema, question=example.question)


def encode_prompt(tokenizer: "PreTrainedTokenizerBase", prompt: str) -> list[int]:
    """Token ids of a prompt, with the special tokens that the tokenizer puts in front."""
    return tokenizer.encode(prompt, add_special_tokens=True)


def encode_datum(tokenizer: "PreTrainedTokenizerBase", prompts: Prompts, example: Example) -> "tinker.Datum":
    """An example as a Datum: weight 0 on the prompt, 1 on the completion, shifted by one.

    For tokens ``t`` of length n the input is ``t[:-1]``, the targets are ``t[1:]`` and the weights ``w[1:]``, so that
    position i of the input predicts target i.
    """
    import tinker
    from tinker import types

    prompt = encode_prompt(tokenizer, prompts.prompt(example))
    completion = tokenizer.encode(prompts.completion(example), add_special_tokens=False)
    tokens = prompt + completion
    weights = [0.0] * len(prompt) + [1.0] * len(completion)
    return tinker.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={"target_tokens": tokens[1:], "weights": weights[1:]},  # pyright: ignore[reportArgumentType]
    )


def completion_tokens(datums: "Iterable[tinker.Datum]") -> int:
    """How many tokens of the Datums carry weight."""
    return sum(int((datum.loss_fn_inputs["weights"].to_numpy() != 0).sum()) for datum in datums)


def encode_within(
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Prompts,
    examples: Iterable[Example],
    budget: int,
    context_length: int | None,
) -> "tuple[list[Example], list[tinker.Datum], int]":
    """The first examples as Datums, until they hold ``budget`` input tokens (0: all of them).

    Returns:
        The examples, the same as Datums, and how many were left out because they are longer than ``context_length``
        (None: no limit).
    """
    taken: list[Example] = []
    datums: list[tinker.Datum] = []
    tokens = left_out = 0
    for example in examples:
        if budget and tokens >= budget:
            break
        datum = encode_datum(tokenizer, prompts, example)
        length = datum.model_input.length
        if context_length is not None and length > context_length:
            left_out += 1
        else:
            taken.append(example)
            datums.append(datum)
            tokens += length
    return taken, datums, left_out


def stop_texts(tokenizer: "PreTrainedTokenizerBase", stops: Sequence[str]) -> list[str]:
    """The stops of an answer: the given texts and the model's own end token."""
    end = tokenizer.eos_token
    return [*stops, *([str(end)] if end and end not in stops else [])]
