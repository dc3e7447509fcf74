"""The engine as a child process: ``python -m tinkersql.engine --model-folder ... --model-name ... --store ...``.

The key comes in the environment variable TINKERSQL_SERVER_KEY. When requests are answered, one JSON line goes to
standard output: ``{"base_url": ..., "pid": ...}``. A failure to start is one line on standard error and exit status 1
(2 for impossible options).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tinkersql.engine import tame_torch
from tinkersql.errors import Interrupted, SettingsError, TinkersqlError

if TYPE_CHECKING:
    from tinkersql.engine.server import EngineServer

KEY_VARIABLE = "TINKERSQL_SERVER_KEY"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tinkersql.engine", description="The embedded Tinker server.")
    parser.add_argument(
        "--model-folder", type=Path, required=True, help="folder with config.json, *.safetensors, tokenizer.json"
    )
    parser.add_argument(
        "--model-name",
        action="append",
        required=True,
        help="name that clients use; if repeated, the others are aliases",
    )
    parser.add_argument("--store", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 = any free port")
    parser.add_argument("--dtype", choices=("auto", "bfloat16", "float32"), default="auto")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--logprobs",
        choices=("all", "weighted"),
        default="all",
        help="where training passes answer log-probabilities: everywhere, or only where the loss is (faster)",
    )
    parser.add_argument("--threads", type=int, default=0, help="0 = as many as the machine has cores")
    parser.add_argument("--allow-remote", action="store_true", help="permit a host other than loopback")
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when standard input ends")
    return parser


def main() -> int:
    """Run the engine until it is told to stop; returns the exit status."""
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s: %(message)s")
    try:
        key = os.environ.pop(KEY_VARIABLE, "")
        if not key:
            raise SettingsError(f"the environment variable {KEY_VARIABLE} must hold the key that clients send")
        tame_torch()
        from tinkersql.engine.server import EngineServer, Options

        server = EngineServer(
            Options(
                model_folder=arguments.model_folder,
                names=tuple(arguments.model_name),
                store=arguments.store,
                key=key,
                host=arguments.host,
                port=arguments.port,
                dtype=arguments.dtype,
                device=arguments.device,
                every_logprob=arguments.logprobs == "all",
                threads=arguments.threads,
                allow_remote=arguments.allow_remote,
            )
        )
    except TinkersqlError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if arguments.exit_with_parent:
        threading.Thread(target=_stop_at_end_of_input, args=(server,), daemon=True).start()
    try:
        server.run(lambda: print(json.dumps({"base_url": server.base_url, "pid": os.getpid()}), flush=True))
    except KeyboardInterrupt:
        return Interrupted.exit_code
    return 0


def _stop_at_end_of_input(server: EngineServer) -> None:
    sys.stdin.buffer.read()
    server.stop()


if __name__ == "__main__":
    sys.exit(main())
