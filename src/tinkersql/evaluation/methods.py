"""Ways to get an answer out of a model: what stands in its prompt, how often it is asked, and which answer counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from tinkersql.console import Reporter
from tinkersql.corpus import Example
from tinkersql.equivalence import extract_sql
from tinkersql.errors import DataError
from tinkersql.evaluation.answers import Answer, sample
from tinkersql.evaluation.execution import errors_of
from tinkersql.evaluation.repair import repair_prompt
from tinkersql.evaluation.retrieval import Retriever, without
from tinkersql.evaluation.voting import Ballot, elect
from tinkersql.prompts import Prompts, encode_prompt
from tinkersql.settings import Settings

if TYPE_CHECKING:
    import tinker
    from transformers import PreTrainedTokenizerBase

Shots = Literal["plain", "few-shot", "retrieval"]
SHOTS: tuple[Shots, ...] = get_args(Shots)
"""No solved examples in the prompt; the same for all questions; for each question those that are most like it."""


@dataclass(frozen=True, slots=True)
class Method:
    """One way to ask, and to choose among the answers.

    Attributes:
        shots: Which solved examples stand before the question.
        count: How many of them.
        votes: Answers to each question; the most common meaning wins. 1 takes the model's greedy answer.
        temperature: Of the sampling, where there is more than one vote.
        repair: Whether an answer that does not run goes back to the model once.
    """

    shots: Shots = "plain"
    count: int = 3
    votes: int = 1
    temperature: float = 0.7
    repair: bool = False

    def label(self, model: str) -> str:
        """A model's name with what the method adds to it: ``tuned-retrieval-votes-5``."""
        parts = {"plain": [], "few-shot": [f"{self.count}-shot"], "retrieval": ["retrieval"]}[self.shots]
        votes = [f"votes-{self.votes}"] if self.votes > 1 else []
        return "-".join([model, *parts, *votes, *(["repair"] if self.repair else [])])


PLAIN = Method()
"""The question alone, answered greedily."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be asked: the SDK's sampler and tokenizer, and how many tokens it reads (None: unknown)."""

    name: str
    sampler: "tinker.SamplingClient"
    tokenizer: "PreTrainedTokenizerBase"
    context_length: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The answer that counts, and how it came about: ``shots`` in the prompt, ``votes`` and ``repaired``, as JSON."""

    answer: Answer
    how: dict[str, Any] = field(default_factory=dict)


def attempt(
    model: Model,
    method: Method,
    settings: Settings,
    pool: Sequence[Example],
    examples: Sequence[Example],
    reporter: Reporter,
) -> list[Attempt]:
    """Ask a model all questions by one method. No gold of a question takes part in it.

    Args:
        model: Whom to ask.
        method: How.
        settings: ``template``, ``stops``, ``max_tokens``, ``seed`` and the workers are read.
        pool: Solved examples for the prompts; those that are among the questions are left out.
        examples: The questions.
        reporter: Shows the progress.

    Raises:
        DataError: The method needs solved examples, and the pool has none that may be used.
    """
    label = method.label(model.name).replace("-", " ")
    choose = _chooser(method, without(pool, examples))
    fitting = [_fitting(model, settings, choose(example), example) for example in examples]
    prompts = [prompt.prompt(example) for prompt, example in zip(fitting, examples, strict=True)]
    schemas = [example.schema for example in examples]

    def asked(texts: Sequence[str], what: str, answers: int = 1, temperature: float = 0.0) -> list[list[Answer]]:
        common = (model.sampler, model.tokenizer, texts, settings, model.context_length, reporter, what)
        return sample(*common, answers=answers, temperature=temperature)

    if method.votes > 1:
        answers = asked(prompts, label, method.votes, method.temperature)
        texts = [[answer.text for answer in few] for few in answers]
        ballots = elect(schemas, texts, settings.judge_workers, reporter, f"vote {label}")
        attempts = [_elected(few, ballot) for few, ballot in zip(answers, ballots, strict=True)]
    else:
        attempts = [Attempt(few[0]) for few in asked(prompts, label)]
    attempts = [replace(a, how={"shots": len(p.shots)} | a.how) for a, p in zip(attempts, fitting, strict=True)]
    return _repaired(attempts, schemas, prompts, settings, asked, label) if method.repair else attempts


def _chooser(method: Method, pool: Sequence[Example]) -> Callable[[Example], tuple[Example, ...]]:
    """From a question to the solved examples of its prompt."""
    if method.shots == "plain":
        return lambda example: ()
    if not pool:
        raise DataError(f"no example is left for --method {method.shots}: all of them are among the questions")
    if method.shots == "few-shot":
        fixed = tuple(pool[: method.count])
        return lambda example: fixed
    retriever = Retriever(pool)
    return lambda example: retriever.nearest(example, method.count)


def _fitting(model: Model, settings: Settings, shots: tuple[Example, ...], example: Example) -> Prompts:
    """The prompt without the first of its solved examples, as many as it takes to leave room for the answer."""
    room = None if model.context_length is None else model.context_length - settings.max_tokens
    prompts = Prompts(settings.template, shots)
    while room is not None and prompts.shots and len(encode_prompt(model.tokenizer, prompts.prompt(example))) > room:
        prompts = replace(prompts, shots=prompts.shots[1:])
    return prompts


def _elected(answers: Sequence[Answer], ballot: Ballot) -> Attempt:
    """The answer that won, at the cost of all."""
    chosen = replace(answers[ballot.winner], tokens=sum(answer.tokens for answer in answers))
    return Attempt(chosen, {"votes": list(ballot.classes)})


def _repaired(
    attempts: Sequence[Attempt],
    schemas: Sequence[str],
    prompts: Sequence[str],
    settings: Settings,
    asked: Callable[[Sequence[str], str], list[list[Answer]]],
    label: str,
) -> list[Attempt]:
    """Every answer that does not run is asked for again; the second one counts, unless there is no room to ask."""
    repaired = list(attempts)
    tried = ((schema, a.answer.text) for schema, a in zip(schemas, attempts, strict=True))
    failed = [
        (index, error)
        for index, error in enumerate(errors_of(tried, settings.judge_workers))
        if error is not None and attempts[index].answer.stop_reason != "too_long"
    ]
    if not failed:
        return repaired
    again = [repair_prompt(prompts[i], extract_sql(attempts[i].answer.text), error) for i, error in failed]
    for (index, error), [answer] in zip(failed, asked(again, f"repair {label}"), strict=True):
        first = attempts[index].answer
        if answer.stop_reason != "too_long":
            total = {
                "tokens": first.tokens + answer.tokens,
                "prompt_tokens": first.prompt_tokens + answer.prompt_tokens,
            }
            how = attempts[index].how | {"repaired": {"answer": first.text, "error": error}}
            repaired[index] = Attempt(replace(answer, **total), how)
    return repaired
