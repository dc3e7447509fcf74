"""Runs the test-suite evaluator of a checkout on pairs from stdin; started by ``test_suite``, in a process of its own.

    python test_suite_child.py EVALUATOR [--generator CHECKOUT] [--databases FOLDER] [--count N] [--keep-distinct]

EVALUATOR is a checkout of taoyds/test-suite-sql-eval. The databases of a gold are made by a checkout of
ruiqi-zhong/TestSuiteEval from the pair's schema and gold, or they are all databases in ``FOLDER/DB``. One line of JSON
comes in for each pair and one goes out: whether it is accepted (null when the evaluator fails on it), the seconds to
make the gold's databases (0 when they exist already) and the seconds to judge.
"""

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
import zlib
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

_NUMBER_TYPES = ("INT", "REAL", "NUM", "DEC", "DOUB", "FLOAT")
ROWS = 5
"""Ordinary rows in the database that the generator starts from: it varies what it finds there."""
ATTEMPTS = 5
"""The generator fails now and then by chance."""


def start_database(path: Path, schema: str) -> None:
    """A database with a few ordinary rows."""
    connection = sqlite3.connect(path)
    connection.executescript(schema.replace("; ", ";\n"))
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        kinds = [row[2].upper() for row in connection.execute(f'PRAGMA table_info("{table}")')]
        for number in range(1, ROWS + 1):
            row = [number if any(t in kind for t in _NUMBER_TYPES) else f"value {number}" for kind in kinds]
            connection.execute(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(row))})', row)
    connection.commit()
    connection.close()


def make_databases(folder: Path, schema: str, gold: str, count: int) -> Path:
    """``count`` databases for the gold; the path of one of them."""
    from fuzz.fuzz import generate_random_db_with_queries_wrapper  # type: ignore[import-not-found]

    random.seed(zlib.crc32(f"{schema}\0{gold}".encode()))
    start = folder / "start.sqlite"
    start_database(start, schema)
    suite = folder / "suite"
    suite.mkdir()
    for number in range(count):
        for attempt in range(ATTEMPTS):
            try:
                generate_random_db_with_queries_wrapper((str(start), str(suite / f"{number}.sqlite"), [gold], {}))
                break
            except (IndexError, ValueError, OverflowError):
                if attempt == ATTEMPTS - 1:
                    raise
    return suite / "0.sqlite"


def answer(pair: dict[str, Any], suites: dict[tuple[str, str], Path | None], options: argparse.Namespace) -> dict:
    from exec_eval import eval_exec_match  # type: ignore[import-not-found]

    started = time.perf_counter()
    if options.generator:
        key = (pair["schema"], pair["gold"])
        if key not in suites:
            folder = Path(tempfile.mkdtemp(dir=options.folder))
            try:
                suites[key] = make_databases(folder, *key, options.count)
            except Exception as error:  # whatever the checkout raises: it has no suite for this gold
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                suites[key] = None
        database = suites[key]
    else:
        found = sorted((options.databases / pair.get("db", "")).glob("*.sqlite")) if pair.get("db") else []
        database = found[0] if found else None
    built = time.perf_counter()
    accepted = None
    if database is not None:
        try:
            queries = (pair["predicted"], pair["gold"])
            accepted = bool(eval_exec_match(str(database), *queries, False, options.keep_distinct, False))
        except Exception as error:  # such as its assertion that the gold runs
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return {"accepts": accepted, "build": built - started, "seconds": time.perf_counter() - built}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evaluator", type=Path)
    parser.add_argument("--generator", type=Path)
    parser.add_argument("--databases", type=Path)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--keep-distinct", action="store_true")
    options = parser.parse_args()
    sys.path[:0] = [str(path) for path in (options.evaluator, options.generator) if path]
    options.databases = options.databases or options.evaluator / "database"
    suites: dict[tuple[str, str], Path | None] = {}
    with tempfile.TemporaryDirectory() as options.folder:
        for line in sys.stdin:
            with redirect_stdout(sys.stderr):
                said = answer(json.loads(line), suites, options)
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
