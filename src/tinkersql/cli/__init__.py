"""The command line: one module per command, parsing and printing only."""

import contextlib
import os
import signal
import sys
from typing import NoReturn

import typer

from tinkersql._version import __version__
from tinkersql.cli.checkpoints import app as checkpoints
from tinkersql.cli.compare import compare
from tinkersql.cli.data import app as data
from tinkersql.cli.eval import evaluate
from tinkersql.cli.export import export
from tinkersql.cli.report import report
from tinkersql.cli.run import run
from tinkersql.cli.serve import serve
from tinkersql.cli.sweep import sweep
from tinkersql.cli.train import train
from tinkersql.errors import Interrupted, TinkersqlError

app = typer.Typer(
    name="tinkersql",
    help="Fine-tune a small language model for text-to-SQL, and prove the gain with executed queries.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run)
app.command("train")(train)
app.command("sweep")(sweep)
app.command("eval")(evaluate)
app.command("compare")(compare)
app.command("serve")(serve)
app.command("report")(report)
app.command("export")(export)
app.add_typer(data, name="data")
app.add_typer(checkpoints, name="checkpoints")


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line: errors of the user become one line and a non-zero exit code."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)  # who ends us politely gets the same tidy end
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except TinkersqlError as error:
        _fail(str(error), error.exit_code)
    except SystemExit as ended:
        if ended.code == Interrupted.exit_code:
            _fail("stopped", Interrupted.exit_code)
        raise
    except OSError as error:
        _fail(f"the output cannot be written ({error.strerror})", 1)
    raise AssertionError("typer ends by SystemExit")


def _interrupt(*_: object) -> NoReturn:
    """The first Ctrl-C lets the work stop in good order; a second one ends the process at once."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(Interrupted.exit_code))
    raise KeyboardInterrupt


def _fail(message: str, code: int) -> NoReturn:
    print(f"error: {message}", file=sys.stderr, flush=True)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(code)  # threads of the SDK may go on retrying for minutes, and would keep the process
