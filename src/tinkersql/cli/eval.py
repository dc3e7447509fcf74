"""``tinkersql eval``: score a model, a checkpoint, a run or a file of predictions."""

import json as jsonlib
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tinkersql.cli.options import (
    BackendOption,
    BaseUrlOption,
    MapOption,
    ResultOption,
    StopOption,
    TemplateOption,
    line_breaks,
    mapping,
)
from tinkersql.cli.tables import print_causes, print_comparisons, print_costs, print_evaluations, print_groups
from tinkersql.console import Terminal


def evaluate(
    questions: Annotated[
        Path | None, typer.Option(help="JSON lines with question, schema and gold (or a list of golds).")
    ] = None,
    suite: Annotated[str | None, typer.Option(help="A fixed set of questions, 'exercise' or 'novel'.")] = None,
    data: Annotated[
        str | None, typer.Option(help="A data file, 'built-in' or 'hub': its test questions are asked.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="JSON lines that also have 'predicted': no model is asked.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="A run's folder: its tuned model, with its settings.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Weights for sampling, tinker://…")] = None,
    store: Annotated[Path | None, typer.Option(help="The embedded server's store that holds --checkpoint.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Ask the base model, too, and test the pairs.")] = False,
    model: Annotated[
        str | None, typer.Option(help="The base model: a hub name, a folder, or the service's name.")
    ] = None,
    backend: BackendOption = None,
    base_url: BaseUrlOption = None,
    method: Annotated[
        list[str] | None, typer.Option(help="'plain' (the default), 'few-shot' or 'retrieval'; repeatable.")
    ] = None,
    shots: Annotated[int | None, typer.Option(help="Solved examples in a prompt. [3]")] = None,
    pool: Annotated[
        int | None, typer.Option(help="Training examples that retrieval chooses from; 0 takes all. [1000]")
    ] = None,
    shots_from: Annotated[
        str | None, typer.Option(help="The data of those examples, as for --data; a run's own by default.")
    ] = None,
    votes: Annotated[int | None, typer.Option(help="Answers per question; the most common result wins. [1]")] = None,
    temperature: Annotated[float | None, typer.Option(help="Of the sampling for --votes. [0.7]")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Give an answer that does not run back to the model, once.")
    ] = False,
    limit: Annotated[int | None, typer.Option(help="Take only so many questions, the first ones.")] = None,
    test_size: Annotated[int | None, typer.Option(help="Questions of --data to set aside and ask.")] = None,
    split: Annotated[
        str | None, typer.Option(help="How --data is split: by 'row' (the default), 'table', 'schema' or 'template'.")
    ] = None,
    map: MapOption = None,
    seed: Annotated[int | None, typer.Option(help="Of the split and of the sampling.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer.")] = None,
    stop: StopOption = None,
    template: TemplateOption = None,
    evaluation_workers: Annotated[int | None, typer.Option(help="Questions in flight.")] = None,
    judge_workers: Annotated[int | None, typer.Option(help="Processes comparing queries.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to make, for predictions and result.json. [evals/DATE]")
    ] = None,
    json: ResultOption = False,
) -> None:
    """Score a model (base, checkpoint, with retrieval) or a file of predictions.

    One source of questions: --questions, --suite, --data or --predictions. One model: a base model, --run, or
    --checkpoint; --compare asks the base model and the tuned one.
    """
    from tinkersql.eval import evaluate as score  # imports scipy and more: --help need not wait for it
    from tinkersql.evaluation.request import Request

    changes = {
        "model": model,
        "backend": backend,
        "base_url": base_url,
        "test_size": test_size,
        "split": split,
        "map": None if map is None else mapping(map),
        "seed": seed,
        "max_tokens": max_tokens,
        "stops": tuple(line_breaks(text) for text in stop) if stop else None,
        "template": line_breaks(template) if template is not None else None,
        "evaluation_workers": evaluation_workers,
        "judge_workers": judge_workers,
    }
    request = Request(
        questions=questions,
        suite=suite,
        data=data,
        predictions=predictions,
        run=run,
        checkpoint=checkpoint,
        store=store,
        compare=compare,
        method=tuple(method or ()),
        shots=shots,
        pool=pool,
        shots_from=shots_from,
        votes=votes,
        temperature=temperature,
        repair=repair,
        limit=limit,
        changes=changes,
    )
    folder, result = score(request, out or Path("evals") / datetime.now().strftime("%Y-%m-%d-%H%M%S"), Terminal())
    if json:
        print(jsonlib.dumps(result, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    print_evaluations(console, result["evaluations"])
    print_groups(console, result["evaluations"])
    print_causes(console, result["evaluations"])
    print_costs(console, result["evaluations"])
    print_comparisons(console, result["comparisons"])
    console.print(f"Predictions and result.json: {folder.path}", soft_wrap=True)
