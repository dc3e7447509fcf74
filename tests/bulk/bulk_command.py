"""The command under test, and folders of pairs for it."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = "CREATE TABLE orders (id INTEGER, customer VARCHAR, amount REAL)"


def command(*arguments, before=""):
    """The command line; ``before`` is Python that runs first in its process."""
    program = f"{before}\nfrom tinkersql.cli import main; main()"
    return [sys.executable, "-c", program, "compare", *map(str, arguments)]


def run(*arguments, before=""):
    return subprocess.run(command(*arguments, before=before), capture_output=True, text=True, check=False)


def pairs(count, first=0):
    """Records whose predictions are right when ``n`` is even."""
    numbers = range(first, first + count)
    golds = [f"SELECT customer FROM orders WHERE amount > {n // 4}" for n in numbers]
    return [
        {"schema": SCHEMA, "gold": gold, "predicted": gold.replace(">", ">=") if n % 2 else gold.lower(), "n": n}
        for n, gold in zip(numbers, golds, strict=True)
    ]


def write_lines(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def write_table(path, records, **options):
    pq.write_table(pa.Table.from_pylist(records), path, **options)


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def contents(folder):
    """The bytes of each part of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
