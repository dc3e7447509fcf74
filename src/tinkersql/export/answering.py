"""Ask an exported model here: through ``transformers`` for weights, through llama.cpp for a GGUF file."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinkersql.console import Reporter
from tinkersql.errors import ModelError
from tinkersql.evaluation import Answer
from tinkersql.export.gguf import need_llama_cpp
from tinkersql.prompts import encode_prompt, stop_texts
from tinkersql.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_BATCH = 16


def last_logits(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", prompts: Sequence[str], reporter: Reporter, who: str
) -> "Tensor":
    """The logits [prompts, vocabulary] after each prompt, float32; they depend on every layer and token."""
    import torch

    found: list[Tensor] = []
    with reporter.track(f"logits {who}", len(prompts), "prompts") as advance, torch.inference_mode():
        for prompt in prompts:
            tokens = torch.tensor([encode_prompt(tokenizer, prompt)])
            found.append(model(input_ids=tokens).logits[0, -1].float())
            advance()
    return torch.stack(found)


def transformers_answers(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[str],
    settings: Settings,
    reporter: Reporter,
) -> list[Answer]:
    """Greedy answers of ``generate``, several prompts at once, longest first so that little is padded."""
    import torch

    encoded = [encode_prompt(tokenizer, prompt) for prompt in prompts]
    order = sorted(range(len(encoded)), key=lambda index: -len(encoded[index]))
    pad = next(i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if i is not None)
    stops = stop_texts(tokenizer, settings.stops)
    answers: dict[int, Answer] = {}
    with reporter.track("ask exported", len(prompts), "questions") as advance, torch.inference_mode():
        for batch in _batches(order):
            width = len(encoded[batch[0]])
            tokens = torch.tensor([[pad] * (width - len(encoded[i])) + encoded[i] for i in batch])
            mask = torch.tensor([[0] * (width - len(encoded[i])) + [1] * len(encoded[i]) for i in batch])
            written: Any = model.generate(  # pyright: ignore[reportCallIssue]
                input_ids=tokens,
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=settings.max_tokens,
                stop_strings=stops,
                tokenizer=tokenizer,
                pad_token_id=pad,
            )
            for index, row in zip(batch, written[:, width:].tolist(), strict=True):
                own = row[: row.index(pad)] if pad in row else row
                text = str(tokenizer.decode(own, skip_special_tokens=True))
                answers[index] = _answer(text, len(own), len(encoded[index]), settings)
                advance()
    return [answers[index] for index in range(len(prompts))]


def llama_cpp_answers(
    file: Path,
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[str],
    settings: Settings,
    reporter: Reporter,
) -> list[Answer]:
    """Greedy answers of llama.cpp, which reads the prompts as text, so that the file's own tokenizer is tested.

    Raises:
        ModelError: llama.cpp cannot load the file.
    """
    xllamacpp = need_llama_cpp()
    longest = max(len(encode_prompt(tokenizer, prompt)) for prompt in prompts)
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.n_ctx = longest + settings.max_tokens + 64
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = -1
    # llama.cpp's threads wait for one another by spinning: where others compute, too, more of them are far slower.
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads = max(1, (os.cpu_count() or 1) // 2)
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelError(f"llama.cpp cannot load {file.name} ({error})") from error
    request = {"max_tokens": settings.max_tokens, "temperature": 0.0, "stop": list(settings.stops)}
    answers: list[Answer] = []
    with reporter.track("ask exported", len(prompts), "questions") as advance:
        for prompt in prompts:
            said: Any = server.handle_completions(request | {"prompt": prompt})
            if "choices" not in said:
                raise ModelError(f"llama.cpp does not answer ({str(said)[:200]})")
            usage = said["usage"]
            text = said["choices"][0]["text"]
            answers.append(_answer(text, usage["completion_tokens"], usage["prompt_tokens"], settings))
            advance()
    return answers


def _answer(text: str, tokens: int, prompt_tokens: int, settings: Settings) -> Answer:
    return Answer(text, tokens, prompt_tokens, "length" if tokens >= settings.max_tokens else "stop")


def _batches(order: Sequence[int]) -> Iterator[Sequence[int]]:
    return (order[start : start + _BATCH] for start in range(0, len(order), _BATCH))
