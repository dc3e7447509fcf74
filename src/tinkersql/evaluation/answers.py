"""Ask a model: prompts in, raw answers out, many in flight at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from tinkersql.console import Reporter
from tinkersql.prompts import encode_prompt, stop_texts
from tinkersql.settings import Settings
from tinkersql.waiting import awaited, until

if TYPE_CHECKING:
    import tinker
    from tinker import types
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote.

    Attributes:
        text: The raw text, stop included where the service returns it.
        tokens: How many tokens it wrote, those of discarded answers included.
        prompt_tokens: How many it read, all prompts for one question together.
        stop_reason: ``stop``, ``length`` when it was cut off at the limit, or ``too_long`` when the prompt alone fills
            the model's context, so that it could not be asked.
    """

    text: str
    tokens: int
    prompt_tokens: int
    stop_reason: str


def sample(
    sampler: "tinker.SamplingClient",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[str],
    settings: Settings,
    context_length: int | None,
    reporter: Reporter,
    label: str,
    *,
    answers: int = 1,
    temperature: float = 0.0,
) -> list[list[Answer]]:
    """Let the model continue every prompt; what it wrote comes back in the order of the prompts.

    Args:
        sampler: The model.
        tokenizer: Its tokenizer.
        prompts: What it is given.
        settings: ``max_tokens``, ``stops``, ``seed`` and ``evaluation_workers`` (questions in flight) are read.
        context_length: A prompt of as many tokens or more is not asked, and gets one empty answer; None is no limit.
        reporter: Shows the progress.
        label: What the progress bar calls this.
        answers: How many for each prompt.
        temperature: Of the sampling; 0 is greedy.
    """
    from tinker import types

    stops = stop_texts(tokenizer, settings.stops)
    seed = settings.seed if temperature else None
    params = types.SamplingParams(max_tokens=settings.max_tokens, temperature=temperature, stop=stops, seed=seed)
    encoded = [encode_prompt(tokenizer, prompt) for prompt in prompts]
    in_flight = BoundedSemaphore(settings.evaluation_workers)
    futures = []
    with reporter.track(f"ask {label}", len(prompts), "questions") as advance:

        def answered(_: object) -> None:
            in_flight.release()
            advance()

        for tokens in encoded:
            until(lambda seconds: in_flight.acquire(timeout=seconds), reporter)
            if context_length is not None and len(tokens) >= context_length:
                futures.append(None)
                answered(None)
                continue
            future = sampler.sample(types.ModelInput.from_ints(tokens), answers, params)
            future.future().add_done_callback(answered)
            futures.append(future)
        responses = [awaited(future, reporter) if future else None for future in futures]
    return [_answers(tokenizer, tokens, response) for tokens, response in zip(encoded, responses, strict=True)]


def _answers(
    tokenizer: "PreTrainedTokenizerBase", prompt: Sequence[int], response: "types.SampleResponse | None"
) -> list[Answer]:
    if response is None:
        return [Answer("", 0, 0, "too_long")]
    texts: list[Any] = [tokenizer.decode(s.tokens, skip_special_tokens=False) for s in response.sequences]
    return [
        Answer(text, len(sequence.tokens), len(prompt), sequence.stop_reason)
        for text, sequence in zip(texts, response.sequences, strict=True)
    ]
