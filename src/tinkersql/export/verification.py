"""Does an export compute and answer as the original does?"""

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinkersql import corpus
from tinkersql.console import Reporter
from tinkersql.corpus import Example
from tinkersql.equivalence import extract_sql
from tinkersql.errors import DataError, ModelError, RunError
from tinkersql.evaluation import Answer, compare_paired, judge, summarise
from tinkersql.evaluation.questions import read_questions
from tinkersql.export.answering import last_logits, llama_cpp_answers, transformers_answers
from tinkersql.export.request import Kind
from tinkersql.models.folder import weight_files
from tinkersql.prompts import Prompts, encode_prompt
from tinkersql.runs import RunFolder
from tinkersql.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

PROMPTS = 50
"""Prompts on which logits are compared."""

QUESTIONS = 100
"""Questions whose greedy answers are compared."""

LEAST_AGREEMENT = 0.95
"""The share of answers that must be the same: rounding may tip a token where two are almost equally likely."""

TOLERANCE = {"BF16": 0.05, "F16": 0.02, "F32": 1e-3}
"""By the dtype of the merged weights: the most that logits may differ, relative to their spread (`logits_error`)."""

_THROUGH: dict[Kind, str] = {
    "adapter": "transformers and PEFT",
    "merged": "transformers",
    "gguf": "llama.cpp",
}


@dataclass(frozen=True, slots=True)
class Exam:
    """The questions of a verification, and how they are put.

    Attributes:
        source: Where the questions come from, for a reader.
        examples: The questions.
        prompts: What the model is given, in their order.
    """

    source: str
    examples: tuple[Example, ...]
    prompts: tuple[str, ...]


def exam(
    run: RunFolder | None, settings: Settings, tokenizer: "PreTrainedTokenizerBase", context: int, reporter: Reporter
) -> Exam:
    """The first `QUESTIONS` of the run's own test, else of the built-in data's, that leave room to answer.

    Raises:
        ModelError: None leaves room.
    """
    source, examples = _tested(run, settings, reporter) or (
        "the built-in data's test",
        corpus.split(corpus.load(corpus.BUILT_IN, reporter), QUESTIONS, settings.seed).test,
    )
    prompts = Prompts(settings.template)
    room = context - settings.max_tokens
    fitting = [
        (example, prompt)
        for example, prompt in ((example, prompts.prompt(example)) for example in examples)
        if len(encode_prompt(tokenizer, prompt)) <= room
    ][:QUESTIONS]
    if not fitting:
        raise ModelError(f"no question leaves room for an answer in the model's {context} tokens; use --no-verify")
    return Exam(source, tuple(example for example, _ in fitting), tuple(prompt for _, prompt in fitting))


def _tested(run: RunFolder | None, settings: Settings, reporter: Reporter) -> tuple[str, Sequence[Example]] | None:
    """The run's test questions: those that it asked, else those that its training left out, if the data is still here.

    Returns:
        Where they come from, and the questions; None where there are none.
    """
    if run is None:
        return None
    asked = run.path / "predictions-base.jsonl"
    if asked.is_file():
        return f"the run's test ({asked.name})", read_questions(asked)
    try:
        data = corpus.load(settings.data, reporter, settings.map)
        if data.sha256 != run.read_result()["data"]["sha256"]:
            return None
        split = corpus.split(data, settings.test_size, settings.seed, settings.split)
    except (DataError, RunError, KeyError, TypeError):
        return None
    return f"the run's test (of {data.source})", split.test


@dataclass(frozen=True, slots=True)
class Exported:
    """What is verified: folders of base model, adapter and merged model, and the GGUF file, if there is one."""

    kind: Kind
    base: Path
    adapter: Path
    merged: Path
    file: Path | None


def verify(
    exported: Exported,
    questions: Exam,
    original: Sequence[Answer],
    tokenizer: "PreTrainedTokenizerBase",
    settings: Settings,
    reporter: Reporter,
) -> dict[str, Any]:
    """Compare the logits of adapter and merged model, and the export's answers with the original's; JSON-ready.

    Raises:
        ModelError: They differ by more than `TOLERANCE`, or fewer than `LEAST_AGREEMENT` are the same.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    reporter.heading("Verification")
    prompts, kind = questions.prompts, exported.kind
    answers: list[Answer] = []
    # One model at a time, so that no more memory is needed than for one in float32.
    model: Any = _with_adapter(exported.base, exported.adapter)
    beside = last_logits(model, tokenizer, prompts[:PROMPTS], reporter, "adapter")
    if kind == "adapter":
        answers = transformers_answers(model, tokenizer, prompts, settings, reporter)
    del model
    model = AutoModelForCausalLM.from_pretrained(exported.merged, dtype=torch.float32)
    inside = last_logits(model, tokenizer, prompts[:PROMPTS], reporter, "merged")
    if kind == "merged":
        answers = transformers_answers(model, tokenizer, prompts, settings, reporter)
    del model
    logits = compare_logits(beside, inside, _dtype(exported.merged))
    if not logits["ok"]:
        raise ModelError(
            f"verification failed: logits of adapter and merged model differ by {logits['error']:.1%} of their "
            f"spread, more than {logits['tolerance']:.1%}; nothing is kept (--no-verify keeps it)"
        )
    if exported.file is not None:
        answers = llama_cpp_answers(exported.file, tokenizer, prompts, settings, reporter)
    compared = compare_answers(questions, original, answers, settings, reporter)
    if not compared["ok"]:
        right = {name: found["matches"] for name, found in compared["accuracy"].items()}
        raise ModelError(
            f"verification failed: only {compared['same']} of {compared['n']} answers are those of the original "
            f"(which has {right['original']} right, the export {right['exported']}); "
            f"nothing is kept (--no-verify keeps it)"
        )
    return {"logits": logits, "answers": {"through": _THROUGH[kind], **compared}}


def _with_adapter(base: Path, adapter: Path) -> Any:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT cannot merge an adapter of a tied unembedding; merging.py can
        return PeftModel.from_pretrained(model, adapter)


def _dtype(folder: Path) -> str:
    """The coarsest dtype of the weights in a model folder."""
    from safetensors import safe_open

    found: set[str] = set()
    for file in weight_files(folder):
        with safe_open(file, framework="pt") as weights:
            found |= {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118
    return next((dtype for dtype in TOLERANCE if dtype in found), "BF16")


def compare_logits(adapter: "Tensor", merged: "Tensor", dtype: str) -> dict[str, Any]:
    """Whether base with adapter and merged model compute the same, JSON-ready.

    Args:
        adapter: Logits [prompts, vocabulary] of the base model with the adapter beside it.
        merged: Those of the merged model.
        dtype: In which the merged weights are kept, which is what must differ.
    """
    error, tolerance = logits_error(adapter, merged), TOLERANCE[dtype]
    same = (adapter.argmax(1) == merged.argmax(1)).sum().item()
    return {
        "prompts": len(adapter),
        "error": error,
        "tolerance": tolerance,
        "same_first_token": same,
        "ok": error <= tolerance,
    }


def logits_error(a: "Tensor", b: "Tensor") -> float:
    """The largest relative difference of two models' logits over the prompts.

    For each prompt it is ‖a − b‖ / ‖a − mean(a)‖ over the vocabulary, after taking from each its mean, because a
    constant added to all logits changes no probability.
    """
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return ((a - b).norm(dim=1) / a.norm(dim=1)).max().item()


def compare_answers(
    exam: Exam, original: Sequence[Answer], exported: Sequence[Answer], settings: Settings, reporter: Reporter
) -> dict[str, Any]:
    """How many greedy answers are the same query, and how many of both are right, JSON-ready."""
    pairs = list(zip(original, exported, strict=True))
    same = sum(extract_sql(a.text) == extract_sql(b.text) for a, b in pairs)
    judged = {
        name: judge(exam.examples, answers, settings.judge_workers, reporter, f"judge {name}")
        for name, answers in (("original", original), ("exported", exported))
    }
    rights = {name: [prediction.right for prediction in predictions] for name, predictions in judged.items()}
    figures = {name: summarise(predictions) for name, predictions in judged.items()}
    kept = ("n", "matches", "rate", "low", "high")
    return {
        "questions": exam.source,
        "n": len(pairs),
        "same": same,
        "least_same": LEAST_AGREEMENT,
        "ok": same >= LEAST_AGREEMENT * len(pairs),
        "accuracy": {name: {key: found[key] for key in kept} for name, found in figures.items()},
        "difference": asdict(compare_paired(rights["original"], rights["exported"])),
    }
