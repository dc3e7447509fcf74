"""Batched sampling: against transformers.generate, against one-by-one, stops, seeds and distributions."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from tinkersql.engine import batching, kv_cache
from tinkersql.engine.batching import Batcher
from tinkersql.engine.kv_cache import KvCache
from tinkersql.engine.llama import Llama
from tinkersql.engine.loading import load_llama, load_tokenizer
from tinkersql.engine.lora import LoraConfig, LoraLayout
from tinkersql.engine.sampling import SampleRequest, SamplingParams, StopRule, choose, draw
from tinkersql.engine.scoring import EMPTY, PromptScoring

NEVER = StopRule()


@pytest.fixture(scope="module")
def model(tiny_model: Path, device: str) -> Llama:
    return load_llama(tiny_model, torch.float32, device)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Tokenizer:
    return load_tokenizer(tiny_model)


@pytest.fixture
def sample(model: Llama, tokenizer: Tokenizer) -> Callable[..., list[SampleRequest]]:
    """Sample for several prompts at once with a fresh batcher."""

    def run(prompts: list[tuple[int, ...]], params: list[SamplingParams], **options: Any) -> list[SampleRequest]:
        batcher = Batcher(model, tokenizer, lambda _: {})
        outcomes: list[Exception | None] = []
        requests = [
            SampleRequest(prompt, each, None, lambda _, error: outcomes.append(error), **options)
            for prompt, each in zip(prompts, params, strict=True)
        ]
        for request in requests:
            batcher.submit(request)
        while batcher.busy:
            batcher.step()
        assert outcomes == [None] * len(requests)
        return requests

    return run


def greedy(max_tokens: int = 30, stop: StopRule = NEVER) -> SamplingParams:
    return SamplingParams(max_tokens, stop, temperature=0)


def make_prompts(model: Llama, lengths: list[int], beginning: int = 0) -> list[tuple[int, ...]]:
    generator = random.Random(7)
    vocabulary = range(model.config.vocab_size)
    common = generator.choices(vocabulary, k=beginning)
    return [tuple(common + generator.choices(vocabulary, k=n)) for n in lengths]


def generate(tiny_model: Path, prompt: tuple[int, ...], count: int) -> list[int]:
    reference = LlamaForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    given = torch.tensor([prompt])
    out = reference.generate(
        given, attention_mask=torch.ones_like(given), max_new_tokens=count, do_sample=False, eos_token_id=None
    )
    return out[0, len(prompt) :].tolist()


@pytest.mark.parametrize("beginning", [0, 40])
def test_greedy_equals_transformers_token_for_token(
    beginning: int, sample: Callable[..., list[SampleRequest]], model: Llama, tiny_model: Path
) -> None:
    """Rows of different lengths, alone or after a beginning that all share and that is computed once."""
    prompts = make_prompts(model, [1, 30, 7, 64, 2], beginning)
    # Different numbers of tokens, so that rows leave the batch at different times and others move into their places.
    counts = [40, 3, 25, 70, 12]
    results = sample(prompts, [greedy(count) for count in counts])
    for prompt, count, result in zip(prompts, counts, results, strict=True):
        assert result.sequences[0].tokens == generate(tiny_model, prompt, count)
        assert not result.sequences[0].stopped


def test_more_requests_than_rows_all_get_their_own_answer(
    sample: Callable[..., list[SampleRequest]], model: Llama, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = make_prompts(model, [random.Random(i).randrange(1, 40) for i in range(25)])
    params = [greedy(5 + i % 17) for i in range(25)]
    alone = [sample([prompt], [each])[0] for prompt, each in zip(prompts, params, strict=True)]
    monkeypatch.setattr(batching, "MAX_ROWS", 6)
    together = sample(prompts, params)
    for one, other in zip(alone, together, strict=True):
        assert one.sequences[0].tokens == other.sequences[0].tokens
        assert one.sequences[0].logprobs == pytest.approx(other.sequences[0].logprobs, abs=1e-4)


def test_a_small_cache_only_makes_requests_wait(
    sample: Callable[..., list[SampleRequest]], model: Llama, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = make_prompts(model, [20, 30, 10, 50])
    expected = [result.sequences[0].tokens for result in sample(prompts, [greedy()] * 4)]
    monkeypatch.setattr(batching, "CACHE_BYTES", 1)
    assert [result.sequences[0].tokens for result in sample(prompts, [greedy()] * 4)] == expected


def test_logprobs_and_prompt_logprobs_are_those_of_the_model(
    sample: Callable[..., list[SampleRequest]], model: Llama, tiny_model: Path
) -> None:
    (prompt,) = make_prompts(model, [23])
    params = SamplingParams(9, NEVER, temperature=0.7, seed=1, top_logprobs=3)
    targets = torch.full((22, 2), -1)
    targets[5] = torch.tensor([7, 300])
    scoring = PromptScoring(logprobs=23, top=4, targets=targets, alternatives=2)
    (result,) = sample([prompt], [params], scoring=scoring)
    sequence = result.sequences[0]
    reference = LlamaForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    tokens = torch.tensor([[*prompt, *sequence.tokens]])
    with torch.no_grad():
        every = reference(tokens).logits[0, :-1].log_softmax(-1)
    logprobs = every.gather(1, tokens[0, 1:, None])[:, 0]
    close = partial(torch.testing.assert_close, rtol=1e-4, atol=1e-4)
    scores = result.scores
    assert scores is not None
    assert scores.logprobs[0].isnan()
    close(scores.logprobs[1:], logprobs[:22])
    assert sequence.logprobs == pytest.approx(logprobs[22:].tolist(), abs=1e-4)
    close(scores.top_logprobs[1:], every[:22].topk(4).values)
    assert torch.equal(scores.top_tokens[1:], every[:22].topk(4).indices)
    assert scores.top_logprobs[0].tolist() == [EMPTY] * 4
    close(scores.targets[5], every[5, [7, 300]])
    assert int((scores.targets != 0).sum()) == 2
    close(scores.alternative_logprobs, every[:22].gather(1, scores.alternatives))
    assert [ids for ids, _ in sequence.top] == every[22:].topk(3).indices.tolist()
    assert [top[0] for _, top in sequence.top] == pytest.approx(every[22:].amax(-1).tolist(), abs=1e-4)
    (last,) = sample([prompt], [greedy(1)], scoring=PromptScoring(logprobs=4, top=1))
    assert last.scores.logprobs.isnan().tolist() == [True] * 19 + [False] * 4
    assert (last.scores.top_logprobs[:, 0] == EMPTY).tolist() == [True] * 19 + [False] * 4


def test_a_stop_string_that_straddles_tokens_ends_the_text_there(
    sample: Callable[..., list[SampleRequest]], model: Llama, tokenizer: Tokenizer
) -> None:
    prompts = make_prompts(model, [12, 9, 30, 17])
    tried = 0
    for prompt, free in zip(prompts, sample(prompts, [greedy(40)] * 4), strict=True):
        tokens = free.sequences[0].tokens
        pieces = [tokenizer.decode([token], skip_special_tokens=False) for token in tokens]
        for i in range(len(tokens) - 1):
            stop = pieces[i][-1:] + pieces[i + 1][:1]
            before = tokenizer.decode(tokens[: i + 1], skip_special_tokens=False)
            if len(stop) < 2 or not stop.isascii() or stop in before:
                continue
            (stopped,) = sample([prompt], [greedy(40, StopRule(strings=("never seen", stop)))])
            assert stopped.sequences[0].stopped
            assert stopped.sequences[0].tokens == tokens[: i + 2]
            tried += 1
    assert tried >= 5


def test_a_special_token_can_be_a_stop_string_and_stop_tokens_are_returned(
    sample: Callable[..., list[SampleRequest]], model: Llama, tokenizer: Tokenizer
) -> None:
    (prompt,) = make_prompts(model, [12])
    (free,) = sample([prompt], [greedy(20)])
    tokens = free.sequences[0].tokens
    (stopped,) = sample([prompt], [greedy(20, StopRule(tokens=frozenset([tokens[6]])))])
    assert stopped.sequences[0].tokens == tokens[: tokens.index(tokens[6]) + 1]
    end = tokenizer.token_to_id("<|endoftext|>")
    assert StopRule(strings=("<|endoftext|>",)).met([*tokens[:3], end], tokenizer)
    assert not NEVER.met([*tokens[:3], end], tokenizer)


def test_samples_differ_from_each_other_and_repeat_with_the_seed(
    sample: Callable[..., list[SampleRequest]], model: Llama
) -> None:
    (prompt,) = make_prompts(model, [12])

    def draw(seed: int | None) -> list[list[int]]:
        (result,) = sample([prompt], [SamplingParams(12, NEVER, seed=seed)], num_samples=5)
        return [sequence.tokens for sequence in result.sequences]

    first = draw(11)
    assert len({tuple(tokens) for tokens in first}) == 5
    assert draw(11) == first
    assert draw(None) != draw(None)


def test_samples_of_one_prompt_are_those_of_the_prompt_alone(
    sample: Callable[..., list[SampleRequest]], model: Llama, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its keys and values are computed once and copied; more samples than rows are admitted bit by bit."""
    prompts = make_prompts(model, [12, 30, 1])
    params = [SamplingParams(9, NEVER, seed=seed, temperature=0.8) for seed in (5, 50, 500)]
    alone = [
        [sample([prompt], [replace(each, seed=first + i)])[0].sequences[0].tokens for i in range(7)]
        for prompt, each, first in zip(prompts, params, (5, 50, 500), strict=True)
    ]
    for rows in (128, 4):
        monkeypatch.setattr(batching, "MAX_ROWS", rows)
        together = sample(prompts, params, num_samples=7, scoring=PromptScoring(logprobs=3))
        assert [[s.tokens for s in request.sequences] for request in together] == alone
        for request, prompt in zip(together, prompts, strict=True):
            assert request.scores is not None
            assert request.scores.logprobs is not None
            assert int((~request.scores.logprobs.isnan()).sum()) == min(3, len(prompt) - 1)


def test_long_prompts_attend_in_blocks(
    sample: Callable[..., list[SampleRequest]], model: Llama, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = make_prompts(model, [100, 70, 5], beginning=40)
    whole = [request.sequences[0].tokens for request in sample(prompts, [greedy()] * 3)]
    monkeypatch.setattr(kv_cache, "QUERY_BLOCK", 16)
    assert [request.sequences[0].tokens for request in sample(prompts, [greedy()] * 3)] == whole


def test_an_adapter_that_is_not_finite_spoils_no_other(model: Llama, tokenizer: Tokenizer) -> None:
    layout = LoraLayout(model.config, LoraConfig(2, 0))
    bad = layout.adapter(torch.full((layout.size,), float("nan"), device=model.device))
    finished: dict[Any, list[list[int]]] = {}

    def note(request: SampleRequest, error: Exception | None) -> None:
        assert error is None
        finished.setdefault(request.adapter, []).append(request.sequences[0].tokens)

    prompts = make_prompts(model, [40, 6, 9])
    for adapters in (("bad", "good"), ("alone",)):
        batcher = Batcher(model, tokenizer, lambda key: bad if key == "bad" else {})
        for adapter in adapters:
            for prompt in prompts:
                batcher.submit(SampleRequest(prompt, greedy(10), adapter, note))
        while batcher.busy:
            batcher.step()
    assert len(finished["bad"]) == 3
    assert finished["good"] == finished["alone"]


def test_a_question_about_a_prompt_that_fails_fails_its_request_only(
    model: Llama, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(batching, "score_prompt", no_memory)
    batcher = Batcher(model, tokenizer, lambda _: {})
    outcomes: dict[int, type] = {}
    for prompt, scoring in zip(make_prompts(model, [5, 6, 7]), (None, PromptScoring(logprobs=2), None), strict=True):
        request = SampleRequest(
            prompt,
            greedy(5),
            None,
            lambda r, error: outcomes.update({len(r.prompt): type(error)}),
            num_samples=2,
            scoring=scoring,
        )
        batcher.submit(request)
    while batcher.busy:
        batcher.step()
    assert outcomes == {5: type(None), 6: RuntimeError, 7: type(None)}


def test_a_cancelled_request_is_dropped_and_others_go_on(model: Llama, tokenizer: Tokenizer) -> None:
    batcher = Batcher(model, tokenizer, lambda _: {})
    finished: list[SampleRequest] = []
    requests = [
        SampleRequest(prompt, greedy(20), None, lambda request, _: finished.append(request))
        for prompt in make_prompts(model, [5, 6, 7])
    ]
    for request in requests:
        batcher.submit(request)
    batcher.step()
    requests[0].cancelled = True
    waiting = SampleRequest((1, 2), greedy(20), "another adapter", lambda request, _: finished.append(request))
    waiting.cancelled = True
    batcher.submit(waiting)
    while batcher.busy:
        batcher.step()
    assert finished == requests[1:] or finished == requests[:0:-1]


def test_an_adapter_that_cannot_be_loaded_fails_its_request_only(model: Llama, tokenizer: Tokenizer) -> None:
    def load(key: object) -> dict[Any, Any]:
        if key == "broken":
            raise OSError("gone")
        return {}

    batcher = Batcher(model, tokenizer, load)
    outcomes: dict[object, Exception | None] = {}
    (prompt,) = make_prompts(model, [5])
    for adapter in ("good", "broken", "better"):
        batcher.submit(
            SampleRequest(prompt, greedy(3), adapter, lambda request, error: outcomes.update({request.adapter: error}))
        )
    while batcher.busy:
        batcher.step()
    assert outcomes["good"] is outcomes["better"] is None
    assert isinstance(outcomes["broken"], OSError)


def test_a_pass_that_fails_fails_its_requests_and_the_next_ones_work(
    model: Llama, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = Batcher(model, tokenizer, lambda _: {})
    outcomes: list[Exception | None] = []

    def submit(count: int) -> None:
        for prompt in make_prompts(model, [5, 6, 7][:count]):
            batcher.submit(SampleRequest(prompt, greedy(20), None, lambda _, error: outcomes.append(error)))

    def no_memory(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    for steps_before in (0, 3):  # while prompts are read, and while tokens are generated
        submit(3)
        for _ in range(steps_before):
            batcher.step()
        with monkeypatch.context() as patch:
            patch.setattr(model, "hidden_states", no_memory)
            batcher.step()
        assert [type(outcome) for outcome in outcomes] == [RuntimeError] * 3
        assert not batcher.busy
        outcomes.clear()
    submit(2)
    while batcher.busy:
        batcher.step()
    assert outcomes == [None, None]


@pytest.mark.parametrize("apart", [1, 300])
@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p", "possible"),
    [(1.0, -1, 1.0, 8), (0.5, -1, 1.0, 8), (2.0, 3, 1.0, 3), (1.0, -1, 0.8, 4), (1.0, 1, 1.0, 1), (1.0, -1, 1e-9, 1)],
)
def test_draws_follow_the_distribution(temperature: float, top_k: int, top_p: float, possible: int, apart: int) -> None:
    """Also with the likely tokens so far apart that they stand in different blocks, and impossible ones between."""
    logits = torch.full((8 * apart,), float("-inf"))
    logits[::apart] = torch.tensor([1.0, 3.0, 0.0, 2.5, 2.0, -1.0, 1.5, 2.8])
    draws = 4000
    params = SamplingParams(1, NEVER, temperature, top_k, top_p)
    tokens, logprobs = choose(logits.repeat(draws, 1), [params] * draws, [random.Random(seed) for seed in range(draws)])
    expected = (logits.double() / temperature).softmax(-1)
    order = expected.argsort(descending=True)
    expected[order[possible:]] = 0
    counts = torch.bincount(torch.tensor(tokens), minlength=8 * apart)
    assert (counts[expected == 0] == 0).all()
    allowed = expected > 0
    if possible > 1:
        assert stats.chisquare(counts[allowed], expected[allowed] / expected.sum() * draws).pvalue > 1e-3
    raw = logits.log_softmax(-1)
    assert logprobs == pytest.approx([float(raw[token]) for token in tokens], abs=1e-5)


@pytest.mark.parametrize("temperature", [1e-6, 1e-38, 5e-324])
def test_a_tiny_temperature_is_greedy(temperature: float) -> None:
    logits = torch.randn(4, 300, generator=torch.Generator().manual_seed(1)) * 30
    tokens, _ = choose(logits, [SamplingParams(1, NEVER, temperature)] * 4, [random.Random(i) for i in range(4)])
    assert tokens == logits.argmax(-1).tolist()


def test_logits_that_are_not_numbers_give_a_token_of_the_vocabulary() -> None:
    params = [SamplingParams(1, NEVER)] * 2
    tokens, _ = choose(torch.full((2, 300), float("nan")), params, [random.Random(0), random.Random(1)])
    assert all(0 <= token < 300 for token in tokens)


def test_a_draw_at_the_very_end_is_a_possible_token() -> None:
    logits = torch.full((2, 600), float("-inf"))
    logits[0, 3], logits[1, 400] = 1.0, 2.0
    edge = torch.tensor([[0.0, 1.0 - 2**-53, 1.0]] * 2, dtype=torch.float64)
    assert draw(logits, edge).tolist() == [[3] * 3, [400] * 3]


def test_the_cache_does_not_keep_the_most_rows_times_the_longest(model: Llama) -> None:
    cache = KvCache(model.config, torch.float32, torch.device("cpu"))
    cache.reserve(100, 10)
    for tensor in cache.keys:
        tensor[:] = 7.0
    cache.reserve(2, 400)
    assert (cache.rows, cache.capacity >= 400) == (2, True)
    assert all(bool((tensor[:, :, :10] == 7.0).all()) for tensor in cache.keys)
