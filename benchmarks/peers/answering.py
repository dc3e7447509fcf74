"""How a peer talks to the benchmark: a JSON job a line on standard input, a JSON answer a line on standard output."""

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any


def answer_jobs(do: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Do every job; a failed one is answered with ``{"error": ...}``. What libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            answer = do(json.loads(line))
        except Exception as error:  # whatever a peer raises is its result
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        print(json.dumps(answer), file=answers, flush=True)
