"""Reinforcement learning from execution: the model answers training questions, and the judge's verdict is the reward.

Each step takes the next questions of the plan and a group of answers to each, sampled from the current weights. An
answer's advantage is its reward minus the mean of its group (GRPO: Shao et al., DeepSeekMath, 2024). It is not
divided by the group's deviation, which would give questions that are nearly always or nearly never solved the most
weight, nor is a loss divided by the answer's length, which would make long wrong answers cheap (Dr. GRPO: Liu et al.,
Understanding R1-Zero-Like Training, 2025). A group whose rewards are all equal teaches nothing, and is left out.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import expm1
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tinkersql.backend import Backend
from tinkersql.console import Reporter
from tinkersql.corpus import Example
from tinkersql.equivalence import Crew
from tinkersql.errors import BackendError
from tinkersql.prompts import Prompts, encode_prompt, stop_texts
from tinkersql.tuning.loop import Row
from tinkersql.tuning.plan import Plan
from tinkersql.tuning.rewards import Outcome, Rewards, outcome_of
from tinkersql.waiting import awaited

if TYPE_CHECKING:
    import tinker
    from tinker import types
    from transformers import PreTrainedTokenizerBase

REWARDS = Rewards()
"""What an answer earns."""

SILENT_STEPS = 5
"""After so many steps without any signal, one after the other, somebody is told."""

KEPT_SECONDS = 24 * 3600
"""A step's weights to sample from are deleted after the step, and, if the client dies before, after so long."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sampled answer and what it earned.

    Attributes:
        tokens: The answer's, its stop among them.
        logprobs: Of these tokens under the policy that wrote them, at temperature 1, in nats.
        outcome: How far it got.
        cut_off: Whether it met the token limit.
        reward: What it earned.
    """

    tokens: Sequence[int]
    logprobs: Sequence[float]
    outcome: Outcome
    cut_off: bool
    reward: float


@dataclass(frozen=True, slots=True)
class Group:
    """The answers to one question; none where its gold cannot be used."""

    prompt: Sequence[int]
    attempts: Sequence[Attempt]

    @property
    def advantages(self) -> list[float]:
        """Each answer's reward minus the group's mean; empty where all are equal."""
        rewards = [attempt.reward for attempt in self.attempts]
        if len(set(rewards)) < 2:
            return []
        mean = fmean(rewards)
        return [reward - mean for reward in rewards]

    def datums(self) -> "list[tinker.Datum]":
        """What the group teaches: a Datum for each answer, or none where all rewards are equal."""
        pairs = zip(self.attempts, self.advantages, strict=False)
        return [encode_attempt(self.prompt, attempt, advantage) for attempt, advantage in pairs]


def encode_attempt(prompt: Sequence[int], attempt: Attempt, advantage: float) -> "tinker.Datum":
    """An answer as a Datum of the policy losses: the advantage at each of its tokens, and zero on the prompt."""
    import tinker
    from tinker import types

    tokens = [*prompt, *attempt.tokens]
    before = [0.0] * (len(prompt) - 1)
    inputs: dict[str, Any] = {
        "target_tokens": tokens[1:],
        "logprobs": [*before, *attempt.logprobs],
        "advantages": [*before, *[advantage] * len(attempt.tokens)],
    }
    return tinker.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=inputs)


def kl_estimate(policy: Sequence[float], start: Sequence[float]) -> float:
    """KL(policy ‖ start) per token from tokens that the policy has sampled, in nats; never negative but for rounding.

    The mean of exp(s - p) - 1 - (s - p) over log-probabilities p of the policy and s of the start: the estimator k3 of
    Schulman, Approximating KL Divergence, 2020.
    """
    return fmean(expm1(min(s - p, 80.0)) - (s - p) for p, s in zip(policy, start, strict=True))


class Reinforcement:
    """The objective of reinforcement learning; see `tinkersql.tuning.loop.Objective`."""

    ahead = 0  # the next answers come from the weights that this step makes
    figure = "reward"

    def __init__(
        self,
        client: "tinker.TrainingClient",
        tokenizer: "PreTrainedTokenizerBase",
        plan: Plan,
        examples: Sequence[Example],
        start: str,
        backend: Backend,
        reporter: Reporter,
    ) -> None:
        """Get ready.

        Args:
            client: Whose weights are trained.
            tokenizer: The model's.
            plan: Over the examples; its settings say how to sample and which loss to take.
            examples: Of one pass.
            start: Path of the weights to sample from with which the training began.
            backend: Where the client trains.
            reporter: Told when there is nothing to learn from.
        """
        self.client = client
        self.plan = plan
        self.examples = examples
        self.start = start
        self.reporter = reporter
        self._tokenizer = tokenizer
        self._context_length = backend.context_length
        # On the embedded server, what shares a batch must not depend on the clock: the last bits of log-probabilities
        # depend on it, and a resumed training is to sample the same. So a question waits for the one before.
        self._one_by_one = backend.kind == "embedded"
        self._stops = stop_texts(tokenizer, plan.settings.stops)
        self._prompts = Prompts(plan.settings.template)
        self._rest = backend.rest()
        self._reference: tinker.SamplingClient | None = None
        self._crew = Crew(plan.settings.judge_workers)
        self._silent = 0

    def close(self) -> None:
        """End the processes that judge."""
        self._crew.close()

    def submit(self, number: int) -> Callable[[], Row]:
        """Sample and judge, and submit what the answers teach."""
        from tinker import types

        settings = self.plan.settings
        examples = [self.examples[index] for index in self.plan.indices(number)]
        prompts = [encode_prompt(self._tokenizer, self._prompts.prompt(example)) for example in examples]
        responses = self._sampled(number, prompts)
        distances = self._distances(prompts, responses)
        groups = self._judged(examples, prompts, responses)
        datums = [datum for group in groups for datum in group.datums()]
        adam = types.AdamParams(learning_rate=self.plan.rate(number))
        parts = [part for first in range(settings.substeps) if (part := datums[first :: settings.substeps])]
        pending = [(self.client.forward_backward(part, settings.loss), self.client.optim_step(adam)) for part in parts]

        def ended() -> Row:
            loss = 0.0
            for forward_backward, optim in pending:
                loss += awaited(forward_backward, self.reporter).metrics["loss:sum"]
                awaited(optim, self.reporter)
            self._listen(bool(datums))
            trained = sum(int((datum.loss_fn_inputs["advantages"].to_numpy() != 0).sum()) for datum in datums)
            return {
                "loss": loss / max(trained, 1),
                "tokens": sum(datum.model_input.length for datum in datums),
                "completion_tokens": trained,
                **figures(groups),
                "kl": distances(),
            }

        return ended

    def _sampled(self, number: int, prompts: Sequence[Sequence[int]]) -> "list[types.SampleResponse]":
        """A group of answers to each prompt from the current weights; the draws follow from seed, step and place."""
        import tinker
        from tinker import types

        settings = self.plan.settings
        # A named checkpoint, for unnamed ones stay on disk until the session ends.
        saved = self.client.save_weights_for_sampler(f"policy-{number:06d}", KEPT_SECONDS)
        path = awaited(saved, self.reporter).path
        sampler = self.client.create_sampling_client(path).result()
        futures = []
        for place, prompt in enumerate(prompts):
            room = settings.max_tokens if self._context_length is None else self._context_length - len(prompt)
            params = types.SamplingParams(
                max_tokens=min(settings.max_tokens, room),
                temperature=settings.temperature,
                stop=self._stops,
                seed=random.Random(f"{settings.seed}/{number}/{place}").getrandbits(31),
            )
            future = sampler.sample(types.ModelInput.from_ints(list(prompt)), settings.group_size, params)
            if self._one_by_one:
                awaited(future, self.reporter)
            futures.append(future)
        responses = [awaited(future, self.reporter) for future in futures]
        with suppress(tinker.TinkerError):  # gone already, or kept by the service: nothing depends on it
            self._rest.delete_checkpoint_from_tinker_path(path).result()
        if any(sequence.logprobs is None for response in responses for sequence in response.sequences):
            raise BackendError("the service gives no log-probabilities of sampled tokens, which --objective rl needs")
        return responses

    def _distances(
        self, prompts: Sequence[Sequence[int]], responses: "Sequence[types.SampleResponse]"
    ) -> Callable[[], float]:
        """Ask how likely the start finds the first answer to each prompt; the result is the mean KL per token."""
        from tinker import types

        if self._reference is None:
            self._reference = self.client.create_sampling_client(self.start).result()
        first = [response.sequences[0] for response in responses]
        asked = [
            self._reference.compute_logprobs(types.ModelInput.from_ints([*prompt, *sequence.tokens]))
            for prompt, sequence in zip(prompts, first, strict=True)
        ]

        def distance() -> float:
            start = [
                logprob or 0.0
                for future, prompt in zip(asked, prompts, strict=True)
                for logprob in awaited(future, self.reporter)[len(prompt) :]
            ]
            return kl_estimate([logprob for sequence in first for logprob in sequence.logprobs or ()], start)

        return distance

    def _judged(
        self,
        examples: Sequence[Example],
        prompts: Sequence[Sequence[int]],
        responses: "Sequence[types.SampleResponse]",
    ) -> list[Group]:
        """Let the judge run every distinct answer in its sandbox, and word the verdicts as rewards."""
        texts: list[list[Any]] = [
            [self._tokenizer.decode(sequence.tokens, skip_special_tokens=False) for sequence in response.sequences]
            for response in responses
        ]
        pairs = [
            (example.schema, example.golds, text)
            for example, few in zip(examples, texts, strict=True)
            for text in dict.fromkeys(few)
        ]
        outcomes = {
            pair: outcome_of(comparison) for pair, comparison in zip(pairs, self._crew.compare_many(pairs), strict=True)
        }
        groups = []
        for example, prompt, response, few in zip(examples, prompts, responses, texts, strict=True):
            attempts = []
            for sequence, text in zip(response.sequences, few, strict=True):
                outcome = outcomes[example.schema, example.golds, text]
                if outcome is not None:
                    cut_off = sequence.stop_reason == "length"
                    reward = REWARDS.of(outcome, cut_off)
                    logprobs = sequence.logprobs or ()
                    attempts.append(Attempt(sequence.tokens, logprobs, outcome, cut_off, reward))
            groups.append(Group(prompt, attempts))
        return groups

    def _listen(self, signal: bool) -> None:
        """Say so when there has been nothing to learn from for a while."""
        self._silent = 0 if signal else self._silent + 1
        if self._silent == SILENT_STEPS:
            self.reporter.say(
                f"  For {SILENT_STEPS} steps all answers to each question have earned the same, so nothing was learnt: "
                "fine-tune longer first, or try a larger --group-size or a higher --temperature"
            )


def figures(groups: Sequence[Group]) -> Row:
    """A step's groups in figures: means and shares over all answers whose question has a gold that can be used.

    ``entropy`` is the mean negative log-probability of a sampled token, in nats: at temperature 1 an unbiased estimate
    of the policy's entropy per token.
    """
    attempts = [attempt for group in groups for attempt in group.attempts]
    n, tokens = max(len(attempts), 1), sum(len(attempt.tokens) for attempt in attempts)
    return {
        "reward": sum(attempt.reward for attempt in attempts) / n,
        "match": sum(attempt.outcome is Outcome.MATCH for attempt in attempts) / n,
        "runs": sum(attempt.outcome >= Outcome.RUNS for attempt in attempts) / n,
        "compiles": sum(attempt.outcome >= Outcome.COMPILES for attempt in attempts) / n,
        "cut_off": sum(attempt.cut_off for attempt in attempts) / n,
        "groups_with_signal": sum(bool(group.advantages) for group in groups) / max(len(groups), 1),
        "answers": len(attempts),
        "answer_tokens": tokens / n,
        "entropy": -sum(logprob for attempt in attempts for logprob in attempt.logprobs) / max(tokens, 1),
    }
