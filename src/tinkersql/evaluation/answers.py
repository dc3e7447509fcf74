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
    from tinker import types
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote.

    Attributes:
        text: The raw text, stop included where the service returns it.
        tokens: How many tokens it wrote.
        prompt_tokens: How many it read.
        stop_reason: ``stop``, ``length`` when it was cut off at the limit, or ``too_long`` when the prompt alone fills
            the model's context, so that it could not be asked.
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
    context_length: int | None,
    reporter: Reporter,
    label: str,
) -> list[Answer]:
    """Put every question to the model, greedily; answers come back in the order of the questions.

    Of ``settings``, ``max_tokens``, ``stops`` and ``evaluation_workers`` (questions in flight) are read. A prompt of
    ``context_length`` or more tokens is not asked: its answer is empty.
    """
    from tinker import types

    stops = stop_texts(tokenizer, settings.stops)
    params = types.SamplingParams(max_tokens=settings.max_tokens, temperature=0.0, stop=stops)
    encoded = [encode_prompt(tokenizer, prompts.prompt(example)) for example in examples]
    in_flight = BoundedSemaphore(settings.evaluation_workers)
    futures = []
    with reporter.track(f"ask {label}", len(examples), "questions") as advance:

        def answered(_: object) -> None:
            in_flight.release()
            advance()

        for tokens in encoded:
            in_flight.acquire()
            if context_length is not None and len(tokens) >= context_length:
                futures.append(None)
                answered(None)
                continue
            future = sampler.sample(types.ModelInput.from_ints(tokens), 1, params).future()
            future.add_done_callback(answered)
            futures.append(future)
        responses = [future.result() if future else None for future in futures]
    return [_answer(tokenizer, tokens, response) for tokens, response in zip(encoded, responses, strict=True)]


def _answer(
    tokenizer: "PreTrainedTokenizerBase", prompt: Sequence[int], response: "types.SampleResponse | None"
) -> Answer:
    if response is None:
        return Answer("", 0, 0, "too_long")
    sequence = response.sequences[0]
    text: Any = tokenizer.decode(sequence.tokens, skip_special_tokens=False)
    return Answer(text, len(sequence.tokens), len(prompt), sequence.stop_reason)
