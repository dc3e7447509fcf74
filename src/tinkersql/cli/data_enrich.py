"""``tinkersql data enrich``: training rows, changed by recipes, as a file."""

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer

from tinkersql.cli.options import DataArgument, JsonOption, MapOption, mapping
from tinkersql.console import Terminal, printable
from tinkersql.errors import RunError, SettingsError


def enrich(
    data: DataArgument,
    out: Annotated[Path, typer.Argument(help="The .json or .jsonl file to write.")],
    recipe: Annotated[
        str, typer.Option(help="Recipes, separated by commas, with a share if need be: 'distractor-columns=0.5'.")
    ],
    seed: Annotated[int, typer.Option(help="The same seed gives the same file.")] = 0,
    map: MapOption = None,
    json: JsonOption = False,
) -> None:
    """Change training rows by recipes (docs/data.md lists them), write them, and say what was changed.

    Recipes borrow columns from other rows of DATA: leave the rows out of it that will test the model.
    """
    from tinkersql import corpus
    from tinkersql.corpus import recipes
    from tinkersql.corpus.writing import check_file

    check_file(out, data)
    steps = recipes.parse(recipe)
    if not steps:
        raise SettingsError(f"--recipe: at least one is needed; choose from {', '.join(recipes.NAMES)}")
    reporter = Terminal()
    loaded = corpus.load(data, reporter, mapping(map))
    examples = loaded.examples
    enriched = recipes.enrich(recipe, examples, seed, reporter=reporter)
    _write(out, [corpus.to_record(example) for example in enriched.examples])
    if json:
        summary = {
            "path": str(out),
            "rows": len(examples),
            "examples": len(enriched.examples),
            "recipes": {step.name: share for step, share in steps},
            "counts": enriched.counts,
            "unreadable": enriched.unreadable,
            "seed": seed,
            "notes": list(loaded.notes),
        }
        print(jsonlib.dumps(summary))
        return
    print(f"{len(examples):,} rows became {len(enriched.examples):,} examples in {out}")
    for step, share in steps:
        print(f"{enriched.counts[step.name]:>8,}  {step.name}={share:g}: {step.summary}")
    print(f"{enriched.unreadable:>8,}  left alone, because schema or query cannot be read")
    for note in loaded.notes:
        print(note)
    for before, after in enriched.pairs:
        print(f"\n{printable(after.question)}")
        for label, example in (("before", before), ("after", after)):
            print(f"  {label:<6}  {printable(example.schema)}\n          {printable(example.gold)}")


def _write(out: Path, rows: list[dict[str, Any]]) -> None:
    lines = [jsonlib.dumps(row, ensure_ascii=False) for row in rows]
    text = "[\n" + ",\n".join(lines) + "\n]" if out.suffix == ".json" else "\n".join(lines)
    partial = out.with_name(f".{out.name}.partial")  # a full disk must not cost an older file
    try:
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RunError(f"{out}: cannot be written ({error.strerror})") from None
