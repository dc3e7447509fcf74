"""``tinkersql data``: fetch, make, describe and split data."""

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from tinkersql.cli.data_check import check
from tinkersql.cli.data_enrich import enrich
from tinkersql.cli.options import DataArgument, JsonOption, MapOption, mapping
from tinkersql.console import Terminal
from tinkersql.errors import RunError

app = typer.Typer(help="Fetch, make, describe, check, split and enrich question-and-SQL data.", no_args_is_help=True)
app.command()(check)
app.command()(enrich)


@app.command()
def get(json: JsonOption = False) -> None:
    """Fetch b-mc2/sql-create-context from the Hugging Face hub into the cache, and print where it is."""
    from tinkersql.corpus import hub

    with Terminal().downloads() as progress:
        path = hub.fetch(progress)
    print(jsonlib.dumps({"path": str(path)}) if json else path)


@app.command()
def generate(
    out: Annotated[Path, typer.Argument(help="The JSON file to write.")],
    json: JsonOption = False,
) -> None:
    """Write the built-in examples as a JSON array of question, context and answer, for any script of the exercise."""
    from tinkersql.cache import sha256_of
    from tinkersql.corpus.reading import built_in, to_row

    corpus = built_in()
    partial = out.with_name(f".{out.name}.partial")  # a full disk must not cost an older file
    try:
        partial.write_text(jsonlib.dumps([to_row(e) for e in corpus.examples], indent=0) + "\n", encoding="utf-8")
        partial.replace(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RunError(f"{out}: cannot be written ({error.strerror})") from None
    summary = {"path": str(out), "examples": len(corpus.examples), "sha256": sha256_of(out)}
    print(jsonlib.dumps(summary) if json else f"{len(corpus.examples):,} examples in {out}")


@app.command()
def stats(
    data: DataArgument,
    map: MapOption = None,
    json: JsonOption = False,
) -> None:
    """Say how many examples there are, of which kinds, and what the data's hash is."""
    from tinkersql import corpus

    loaded = corpus.load(data, Terminal(), mapping(map))
    kinds = corpus.count_kinds(loaded.examples)
    if json:
        facts = {"source": loaded.source, "sha256": loaded.sha256, "examples": len(loaded.examples), "kinds": kinds}
        facts["notes"] = list(loaded.notes)
        print(jsonlib.dumps(facts))
        return
    print(f"{loaded.source}: {len(loaded.examples):,} examples, sha256 {loaded.sha256}")
    for kind, count in kinds.items():
        print(f"{count:>8,}  {count / len(loaded.examples):>6.1%}  {kind}")
    for note in loaded.notes:
        print(note)


@app.command()
def split(
    data: DataArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="The folder to write; it must be new or empty.")],
    by: Annotated[
        str, typer.Option(help="What training and test do not share: 'row', 'table', 'schema', 'template'.")
    ] = "row",
    test_size: Annotated[int, typer.Option(min=1, help="Examples to set aside.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the shuffling.")] = 0,
    map: MapOption = None,
    json: JsonOption = False,
) -> None:
    """Write train.jsonl, test.jsonl and split.json, which says what training knows of the test."""
    from tinkersql import corpus
    from tinkersql.corpus.writing import check_folder, write_split

    check_folder(out)
    loaded = corpus.load(data, Terminal(), mapping(map))
    parts = corpus.split(loaded, test_size, seed, by)
    facts = write_split(out, loaded, parts, seed)
    if json:
        print(jsonlib.dumps(facts))
        return
    print(f"{out}: {facts['train']:,} examples to train on, {facts['test']:,} to test on, split by {by}")
    for note in parts.notes:
        print(note)
