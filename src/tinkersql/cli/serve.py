"""``tinkersql serve``: the embedded Tinker server for any Tinker client."""

import json as jsonlib
import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def serve(
    model: Annotated[
        str | None, typer.Option(help="Model name or folder.", show_default="the pinned SmolLM2-135M")
    ] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(help="Another model's name that this model answers to; may be repeated.", show_default=False),
    ] = None,
    port: Annotated[int, typer.Option(help="0 = any free port.", min=0, max=65535)] = 8600,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    key: Annotated[
        str | None,
        typer.Option(
            envvar="TINKERSQL_SERVER_KEY", help="What clients send; must start with tml-. Random if not given."
        ),
    ] = None,
    store: Annotated[Path, typer.Option(help="Folder for checkpoints.")] = Path("runs/serve"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    dtype: Annotated[str, typer.Option(help="auto, bfloat16 or float32.")] = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 = one per core.", min=0)] = 0,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Permit a --host that other machines can reach.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document when ready.")] = False,
) -> None:
    """Serve a local model to any Tinker client until Ctrl-C: train LoRA adapters, sample, keep checkpoints."""
    from tinkersql.engine import tame_torch

    tame_torch()  # before anything imports torch
    from tinkersql import models
    from tinkersql.console import Terminal
    from tinkersql.engine.server import EngineServer, Options, is_loopback
    from tinkersql.errors import SettingsError

    if allow_remote and not key and not is_loopback(host):
        raise SettingsError(f"other machines can reach {host}: choose the key that they must send, with --key")
    key = key or f"tml-{secrets.token_urlsafe(24)}"
    terminal = Terminal()
    with terminal.downloads() as progress:
        found = models.resolve(model or models.DEFAULT, progress=progress)
    options = Options(
        model_folder=found.folder,
        names=tuple(dict.fromkeys((found.name, *(alias or ())))),
        store=store,
        key=key,
        host=host,
        port=port,
        device=device,
        dtype=dtype,
        threads=threads,
        allow_remote=allow_remote,
    )
    server = EngineServer(options)
    environment = {"TINKER_BASE_URL": server.base_url, "TINKER_API_KEY": key}
    if any(os.environ.get(name) for name in _PROXIES):
        environment["NO_PROXY"] = "127.0.0.1,localhost"  # through a proxy the client would wait for ever

    def ready() -> None:
        if json:
            document = {
                "base_url": server.base_url,
                "key": key,
                "model": found.name,
                "aliases": list(options.names[1:]),
                "store": str(store.absolute()),
            }
            print(jsonlib.dumps(document), flush=True)
            return
        for name, value in environment.items():
            print(f"export {name}={value}", flush=True)
        terminal.say(
            f"Serving {found.name} ({server.dtype}), checkpoints in {store}. Paste these lines into another terminal "
            f'and run any Tinker script with base_model="{found.name}"; Ctrl-C here stops the server.'
        )
        for name in options.names[1:]:
            terminal.say(
                f"{name} is an alias of {found.name}. Scripts must take the tokenizer from a client (get_tokenizer()): "
                f"one that loads {name}'s own by its hub name cannot work, as its token ids are not this model's."
            )

    try:
        server.run(ready)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
