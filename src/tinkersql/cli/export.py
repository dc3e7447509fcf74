"""``tinkersql export``: take a tuned model away."""

import json as jsonlib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console

from tinkersql.cli.options import BackendOption, BaseUrlOption
from tinkersql.cli.tables import print_comparisons
from tinkersql.console import Terminal


def export(
    kind: Annotated[
        str,
        typer.Argument(help="'adapter' (for PEFT), 'merged' (for transformers and vLLM) or 'gguf' (for llama.cpp)."),
    ],
    run: Annotated[Path | None, typer.Option(help="A run's folder: its tuned model, with its settings.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="Other weights, tinker://…/weights/NAME.")] = None,
    store: Annotated[Path | None, typer.Option(help="The embedded server's store that holds --checkpoint.")] = None,
    model: Annotated[
        str | None, typer.Option(help="The base model: a hub name or a folder. [as the run or the service says]")
    ] = None,
    backend: BackendOption = None,
    base_url: BaseUrlOption = None,
    quantization: Annotated[
        str | None, typer.Option(help="A GGUF file's matrices: 'f16' (the default) or 'q8_0', half the size.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Compare with the original before anything is kept.")
    ] = True,
    out: Annotated[Path | None, typer.Option(help="The folder to make. [exports/NAME-KIND]")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print export.json on standard output.")] = False,
) -> None:
    """Export a tuned model: as a PEFT adapter, as a merged Hugging Face folder, or as GGUF for llama.cpp and Ollama."""
    from tinkersql.export import Request  # imports torch and the SDK: seconds that --help need not wait for
    from tinkersql.export import export as take_away

    request = Request(
        kind=cast(Any, kind),
        run=run,
        checkpoint=checkpoint,
        store=store,
        model=model,
        quantization=cast(Any, quantization),
        verify=verify,
        changes={"backend": backend, "base_url": base_url},
    )
    name = datetime.now().strftime("%Y-%m-%d-%H%M%S") if run is None else run.absolute().name
    folder, result = take_away(request, out or Path("exports") / f"{name}-{kind}", Terminal())
    if json:
        print(jsonlib.dumps(result, indent=2, ensure_ascii=False))
    else:
        _print_summary(result, folder)


def _print_summary(result: dict[str, Any], folder: Path) -> None:
    console = Console(highlight=False)
    if found := result["verification"]:
        logits, answers = found["logits"], found["answers"]
        console.print(
            f"Logits of adapter and merged model, {logits['prompts']} prompts: differ by at most {logits['error']:.2%} "
            f"of their spread (tolerance {logits['tolerance']:.1%})"
        )
        console.print(
            f"Answers through {answers['through']} and those of the original: {answers['same']} of {answers['n']} "
            f"the same ({answers['questions']})"
        )
        for name, e in answers["accuracy"].items():
            console.print(
                f"  {name:<9} {e['matches']} of {e['n']} right, {e['rate']:.1%} ({e['low']:.1%} – {e['high']:.1%})"
            )
        print_comparisons(console, [{"a": "original", "b": "exported", **answers["difference"]}])
    for name, file in result["files"].items():
        console.print(f"  {name}, {file['bytes'] / 2**20:.1f} MiB")
    console.print(f"Exported: {folder}", soft_wrap=True)
