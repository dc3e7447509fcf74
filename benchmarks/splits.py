"""How a data set falls into groups, what each split leaks, and how well rare columns tell tables without names.

    python benchmarks/splits.py SQL_CREATE_CONTEXT_JSON [--json results/splits.json]

For tables without names of their own nobody knows the truth. So the last part hides the names of the tables that have
one, groups their examples by columns, and counts those whose table is also in another group: what a table split on such
examples would leak without knowing.
"""

import argparse
import re
import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

from figures import rate, write
from rich.console import Console

from tinkersql.console import Silent
from tinkersql.corpus import SPLITS, load, split
from tinkersql.corpus.traits import RARE, Names, names_of, table_groups, traits_of

SIZES = (200, 1000)
THRESHOLDS = (3, 5, 8, RARE, 12, 15, 20)
_WIKISQL = re.compile(r"table_\d+_\d+\Z")


def sizes(groups: Iterable[Hashable]) -> dict[str, Any]:
    """How many groups there are, how large the largest, and how many examples are in small ones."""
    counts = sorted(Counter(groups).values(), reverse=True)
    return {
        "groups": len(counts),
        "largest": counts[:5],
        "groups_of_one": counts.count(1),
        "examples_in_groups_of_at_most_20": sum(count for count in counts if count <= 20),
    }


def hidden(names: list[Names], rare: int) -> dict[str, Any]:
    """Examples of WikiSQL's named tables, grouped by their columns as if they had no names."""
    known = [schema for schema in names if len(schema.tables) == 1 and _WIKISQL.match(schema.tables[0])]
    found = table_groups([Names((), schema.columns) for schema in known], rare)
    groups, tables = defaultdict(set), defaultdict(set)
    for schema, group in zip(known, found, strict=True):
        groups[schema.tables].add(group)
        tables[group].add(schema.tables)
    return {
        "table_in_several_groups": rate(sum(len(groups[schema.tables]) > 1 for schema in known), len(known)),
        "group_of_several_tables": rate(sum(len(tables[group]) > 1 for group in found), len(known)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    corpus = load(str(arguments.data), Silent())
    started = time.process_time()
    traits = traits_of(corpus.examples)
    figures: dict[str, Any] = {
        "command": f"python benchmarks/splits.py {arguments.data.name}",
        "examples": len(corpus.examples),
        "examples_whose_tables_have_names": sum(traits[example].has_name for example in corpus.examples),
        "seconds_to_find_the_traits": round(time.process_time() - started, 2),
    }
    found = [traits[example] for example in corpus.examples]
    figures["groups"] = {
        "table": sizes(trait.table for trait in found),
        "table, with a name": sizes(trait.table for trait in found if trait.has_name),
        "table, without": sizes(trait.table for trait in found if not trait.has_name),
        "schema": sizes(trait.columns for trait in found),
        "template": sizes(trait.template for trait in found),
    }
    for name, group in figures["groups"].items():
        console.print(f"{name}: {group}")
    figures["splits"] = []
    for by in SPLITS:
        for size in SIZES:
            started = time.process_time()
            parts = split(corpus, size, 0, by)
            seconds = round(time.process_time() - started, 2)
            counts = {"train": len(parts.train), "left_out": len(parts.left_out), "seconds": seconds}
            figures["splits"].append({"by": by, **counts, "leaks": parts.leaks.to_dict()})
            console.print(f"by {by}: {counts}\n  {parts.leaks.line}")
    names = [names_of(example.schema) for example in corpus.examples]
    unnamed = [schema for schema in names if not schema.tables]
    figures["rare_columns"] = [
        {"rare": rare, "without_names": sizes(table_groups(unnamed, rare)), "names_hidden": hidden(names, rare)}
        for rare in THRESHOLDS
    ]
    for row in figures["rare_columns"]:
        console.print(row)
    write(arguments.json, figures)


if __name__ == "__main__":
    main()
