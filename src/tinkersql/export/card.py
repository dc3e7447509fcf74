"""The README.md of an exported folder: a model card that says from what, how, and how well."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tinkersql.corpus.hub import DATASET
from tinkersql.errors import RunError
from tinkersql.evaluation import interval
from tinkersql.export.request import Kind
from tinkersql.runs import RunFolder
from tinkersql.settings import OF_REINFORCEMENT, Settings

_LOADING = {
    "adapter": """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({base!r})
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained({base!r}), "PATH/OF/THIS/FOLDER")""",
    "merged": """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("PATH/OF/THIS/FOLDER")
model = AutoModelForCausalLM.from_pretrained("PATH/OF/THIS/FOLDER")""",
    "gguf": """\
ollama create text-to-sql -f Modelfile    # then: /set system CREATE TABLE ..., and ask the question
llama-completion -m {file} --temp 0 -no-cnv -p "$PROMPT\"""",
}
_KEPT = (
    *("objective", "data", "split", "examples", "tokens", "steps", "epochs", "recipe", "batch_size", "learning_rate"),
    *("schedule", "rank", "seed"),
)
"""The settings that stand in a card as the recipe; what the prompt is has its own place."""

NO_MERGE = (
    "The adapter changes the unembedding. Where the base model ties that to its embedding, do not merge the two with "
    "PEFT: merge_and_unload would change the embedding, too. Use tinkersql export merged"
)
"""Said of an adapter that PEFT loads rightly and merges wrongly."""


def card(
    kind: Kind,
    title: str,
    base: Mapping[str, str | None],
    settings: Settings,
    result: Mapping[str, Any],
    export: Mapping[str, Any],
    file: str,
) -> str:
    """The whole README.md.

    Args:
        kind: What the folder holds.
        title: The model's name.
        base: ``name``, ``source``, ``sha256`` and ``license`` of the base model.
        settings: Of the run, for the prompt and the recipe.
        result: What the run says about the weights (`about`).
        export: What ``export.json`` says.
        file: The name of the GGUF file, for that kind.
    """
    loading = _LOADING[kind].format(base=base["name"], file=file)
    language = "sh" if kind == "gguf" else "python"
    parts = [
        _front_matter(kind, base, settings, result),
        f"# {title}",
        f"{base['name']}, fine-tuned to write an SQL query from a question and the `CREATE TABLE` statements of a "
        "database. Made with [tinkersql](https://pypi.org/project/tinkersql/).",
        f"## Load\n\n```{language}\n{loading}\n```" + (f"\n\n{NO_MERGE}." if export["peft_can_merge"] is False else ""),
        "## Prompt\n\nThe model has learnt this prompt and no other; `{schema}` is the `CREATE TABLE` statements, "
        f"separated by `; `:\n\n```\n{settings.template}\n```\n\n"
        f"An answer ends at {' or '.join(f'`{json.dumps(stop)}`' for stop in settings.stops)}, or at the model's own "
        f"end token; decode greedily (temperature 0), at most {settings.max_tokens} tokens.",
        *_data_and_recipe(settings, result),
        *_scores(result),
        *_verification(export),
        f"## Provenance\n\nBase model: {base['name']} ({base['source']}), licence {base['license']}, SHA-256 of its "
        f"weights `{base['sha256']}`. Weights: `{export['checkpoint']}`. All figures: `export.json`.",
    ]
    return "\n\n".join(parts) + "\n"


def about(run: RunFolder | None, weights: str) -> dict[str, Any]:
    """What a run's ``result.json`` says about weights.

    That is all of it where they are the run's result. A checkpoint on the way has the run's data, and the ``step`` it
    was saved after, but neither scores nor an end of training; weights that are not the run's have nothing.
    """
    if run is None:
        return {}
    try:
        result, rows = run.read_result(), run.rows("checkpoints.jsonl")
        saved = [row for row in rows if weights in (row["state_path"], row["sampler_path"])]
        if not saved:
            return {}
        ends = [row for row in rows if row["kind"] == "final"]
        if ends and weights in (ends[-1]["state_path"], ends[-1]["sampler_path"]):
            return result
        return {"data": result.get("data"), "step": saved[-1]["step"]}
    except (RunError, KeyError, TypeError, AttributeError):  # damaged: the weights can be exported all the same
        return {}


def _front_matter(kind: Kind, base: Mapping[str, str | None], settings: Settings, result: Mapping[str, Any]) -> str:
    from huggingface_hub import ModelCardData

    license = str(base["license"] or "unknown")
    return (
        "---\n"
        + ModelCardData(
            base_model=base["name"],
            base_model_relation="quantized" if kind == "gguf" else "adapter" if kind == "adapter" else "finetune",
            license=license.lower(),
            language="en",
            library_name={"adapter": "peft", "merged": "transformers", "gguf": "gguf"}[kind],
            pipeline_tag="text-generation",
            datasets=[DATASET] if result and settings.data == "hub" else None,
            tags=["text-to-sql", "sql", "tinker", *(["lora"] if kind == "adapter" else [])],
        ).to_yaml()
        + "\n---"
    )


def _data_and_recipe(settings: Settings, result: Mapping[str, Any]) -> Iterator[str]:
    data, training = result.get("data"), result.get("training")
    if not data:
        yield "## Data and recipe\n\nThe weights were exported by their path alone, so their data is not known here."
        return
    lines = [
        f"* Data: {data['source']}, SHA-256 `{data['sha256']}`; {data['examples']:,} examples, {data['train']:,} to "
        f"train on, {data['test']:,} to test on, split by {data['split']}."
    ]
    if settings.start:
        lines.append(f"* Start: the weights of another run, {Path(settings.start).name}.")
    if training:
        lines.append(f"* Training: {_training(training, settings)}.")
    if "step" in result:
        lines.append(f"* Weights: a checkpoint during training, saved after step {result['step']:,}.")
    kept = _KEPT + (OF_REINFORCEMENT if settings.objective == "rl" else ())
    chosen = ", ".join(f"{name} = {json.dumps(getattr(settings, name))}" for name in kept)
    yield "## Data and recipe\n\n" + "\n".join([*lines, f"* Settings: {chosen}."])


def _training(training: Mapping[str, Any], settings: Settings) -> str:
    if settings.objective == "rl":
        return (
            f"reinforcement learning, {training['steps']:,} steps with {training['examples']:,} questions and "
            f"{training['tokens']:,} tokens, mean reward of a sampled answer {training['first_reward']:.3f} to "
            f"{training['final_reward']:.3f}; rewarded is what an answer does on databases, LoRA, Adam"
        )
    return (
        f"{training['examples']:,} examples, {training['tokens']:,} tokens, {training['steps']:,} steps, loss "
        f"{training['first_loss']:.3f} to {training['final_loss']:.3f}; cross-entropy on the query alone, LoRA, Adam"
    )


def _scores(result: Mapping[str, Any]) -> Iterator[str]:
    rows = [(name.replace("-", " "), "the run's test", e) for name, e in (result.get("evaluations") or {}).items()]
    for suite, models in (result.get("suites") or {}).items():
        rows += [(name.replace("-", " "), f"suite {suite}", e) for name, e in models.items()]
    if rows:
        table = "\n".join(f"| {name} | {where} | {_right(e)} |" for name, where, e in rows)
        yield (
            "## Scores\n\nRight answers by execution on databases that are built to tell queries apart, with the 95 % "
            "interval, which counts questions on the same tables as one cluster. *base* is the model before "
            "fine-tuning.\n\n"
            f"| model | questions | right |\n|---|---|---|\n{table}"
        )


def _verification(export: Mapping[str, Any]) -> Iterator[str]:
    found = export["verification"]
    if found is None:
        yield "## Verification\n\nNot done: exported with `--no-verify`."
        return
    logits, answers = found["logits"], found["answers"]
    accuracy, difference = answers["accuracy"], answers["difference"]
    yield (
        "## Verification\n\n"
        f"* Base with adapter and merged model, {logits['prompts']} prompts: logits differ by at most "
        f"{logits['error']:.2%} of their spread (tolerance {logits['tolerance']:.1%}).\n"
        f"* Greedy answers through {answers['through']}, and those of the service that trained the model: "
        f"{answers['same']} of {answers['n']} are the same query ({answers['questions']}).\n"
        f"* Right: original {_right(accuracy['original'])}, exported {_right(accuracy['exported'])}; difference "
        f"{difference['difference']:+.1%} ({difference['low']:+.1%} to {difference['high']:+.1%})."
    )


def _right(e: Mapping[str, Any]) -> str:
    low, high = interval(e)
    return f"{e['matches']} of {e['n']}, {e['rate']:.1%} ({low:.1%} – {high:.1%})"
