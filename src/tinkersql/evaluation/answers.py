"""Ask a model: prompts in, raw answers out, many in flight at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from tinkersql.console import Reporter
from tinkersql.corpus import Example
from tinkersql.prompts import Prompts, encode_prompt, stop_texts
from tinkersql.settings import Settings

if TYPE_CHECKING:
    import tinker
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote.

    Attributes:
        text: The raw text, stop included where the service returns it.
        tokens: How many tokens it wrote.
        prompt_tokens: How many it read.
        stop_reason: ``stop``, or ``length`` when it was cut off at the limit.
    """

    text: str
    tokens: int
    prompt_tokens: int
    stop_reason: str


def ask(
    sampler: "tinker.SamplingClient",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Prompts,
    examples: Sequence[Example],
    settings: Settings,
    reporter: Reporter,
    label: str,
) -> list[Answer]:
    """Put every question to the model, greedily; answers come back in the order of the questions.

    Of ``settings``, ``max_tokens``, ``stops`` and ``evaluation_workers`` (questions in flight) are read.
    """
    from tinker import types

    stops = stop_texts(tokenizer, settings.stops)
    params = types.SamplingParams(max_tokens=settings.max_tokens, temperature=0.0, stop=stops)
    encoded = [encode_prompt(tokenizer, prompts.prompt(example)) for example in examples]
    in_flight = BoundedSemaphore(settings.evaluation_workers)
    futures = []
    with reporter.track(label, len(examples), "questions") as advance:

        def answered(_: object) -> None:
            in_flight.release()
            advance()

        for tokens in encoded:
            in_flight.acquire()
            future = sampler.sample(types.ModelInput.from_ints(tokens), 1, params).future()
            future.add_done_callback(answered)
            futures.append(future)
        sequences = [future.result().sequences[0] for future in futures]
    answers = []
    for tokens, sequence in zip(encoded, sequences, strict=True):
        text: Any = tokenizer.decode(sequence.tokens, skip_special_tokens=False)
        answers.append(Answer(text, len(sequence.tokens), len(tokens), sequence.stop_reason))
    return answers
