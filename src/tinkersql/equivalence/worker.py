"""The process in which pairs are judged: ``python -P -m tinkersql.equivalence.worker``.

It reads requests from standard input and writes answers to standard output (see ``messages``). It limits itself before
the first request: memory, processor time for each pair, no file can be written. It ends when its input ends or its
parent is gone.
"""

import contextlib
import os
import signal
import sys
import threading
import time

from tinkersql.equivalence.judge import judge
from tinkersql.equivalence.messages import read_message, write_message
from tinkersql.equivalence.verdicts import Assumptions, Comparison, Verdict

MEMORY = 1024 * 2**20
SECONDS_PER_PAIR = 5


def main() -> None:
    """Answer requests until the input ends."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _limit_process()
    write_message(sink, {"ready": True})
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # nobody reads what is said from here on
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError):
        while (request := read_message(source)) is not None:
            _allow_seconds()
            write_message(sink, answer(request).to_dict())


def answer(request: dict) -> Comparison:
    """Judge one request; whatever goes wrong becomes a verdict, because no input may end the worker."""
    assumptions = Assumptions(request["assumptions"])
    try:
        return judge(request["schema"], request["golds"], request["predicted"], assumptions)
    except (MemoryError, RecursionError):
        reason = "the prediction was stopped: it is nested too deeply or needs too much memory"
        return Comparison(Verdict.PREDICTION_OVER_BUDGET, reason, assumptions=assumptions)
    except Exception as error:  # one pair must never take the others with it
        reason = f"the judge failed on this pair ({type(error).__name__}); please report it"
        return Comparison(Verdict.UNDECIDED, reason, assumptions=assumptions)


def _limit_process() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        for limit, value in (
            (resource.RLIMIT_AS, MEMORY),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CORE, 0),
        ):
            hard = resource.getrlimit(limit)[1]
            resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _allow_seconds() -> None:
    """Let the next pair use some seconds of processor time, counted from what has been used."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + SECONDS_PER_PAIR
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
