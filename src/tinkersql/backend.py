"""Whom the SDK talks to: a base URL, a key and a model name.

This is the only module that knows whether the service is embedded, hosted or somebody's cluster.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from tinkersql import models
from tinkersql.console import Reporter
from tinkersql.errors import BackendError, ModelError, SettingsError
from tinkersql.settings import BackendKind, Settings

if TYPE_CHECKING:
    import tinker

HOSTED_URL = "https://tinker.thinkingmachines.dev/services/tinker-prod"
"""Production address of the Tinker service, the default of SDK 0.38."""

HOSTED_MODEL = "meta-llama/Llama-3.2-1B"
"""The exercise's base model."""

PROBE_SECONDS = 10.0
"""How long a service may take to say which models it serves; the SDK itself would try for five minutes."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A Tinker service that answers, and the model to use there.

    Attributes:
        kind: ``embedded``, ``tinker`` or ``url``.
        base_url: Address of the service.
        key: Value of the ``X-API-Key`` header.
        model: The name by which the service knows the base model.
        provenance: ``name``, ``source``, ``sha256`` and ``license`` of the model; None where the service keeps them.
    """

    kind: BackendKind
    base_url: str
    key: str
    model: str
    provenance: Mapping[str, str | None]

    @contextmanager
    def service(self) -> "Iterator[tinker.ServiceClient]":
        """The official SDK's client of this service; its session ends with the context.

        Raises:
            BackendError: In place of the SDK's own errors, with their message on one line.
        """
        import tinker

        try:
            with tinker.ServiceClient(base_url=self.base_url, api_key=self.key) as client:
                yield client
        except tinker.TinkerError as error:
            raise BackendError(f"the service at {self.base_url} failed: {' '.join(str(error).split())}") from error


@contextmanager
def connect(settings: Settings, store: Path, reporter: Reporter) -> Iterator[Backend]:
    """Start or reach the service that the settings name, and check that it serves the model.

    Args:
        settings: ``backend``, ``base_url`` and ``model`` are read.
        store: Where the embedded server keeps its checkpoints.
        reporter: Told what is being waited for.

    Raises:
        BackendError: No key, nobody listening, or the key is refused.
        ModelError: The model is unknown there, or cannot be had here.
    """
    if settings.backend == "embedded":
        model = _local_model(settings.model, reporter)
        reporter.say(f"Starting the embedded Tinker server with {model.name}")
        with _embedded_server(model, store) as (base_url, key):
            provenance = {"name": model.name, "source": model.source, "sha256": model.sha256, "license": model.license}
            yield Backend("embedded", base_url, key, model.name, provenance)
    else:
        base_url = (settings.base_url or HOSTED_URL).rstrip("/")
        key = _key(settings.backend)
        model = _served_model(base_url, key, settings.model or (HOSTED_MODEL if settings.backend == "tinker" else ""))
        yield Backend(
            settings.backend,
            base_url,
            key,
            model,
            {
                "name": model,
                "source": f"Tinker service at {urlsplit(base_url).netloc}",
                "sha256": None,
                "license": None,
            },
        )


def _local_model(name: str, reporter: Reporter) -> models.Model:
    with reporter.downloads() as progress:
        return models.resolve(name or models.DEFAULT, progress=progress)


def _key(kind: BackendKind) -> str:
    key = os.environ.get("TINKER_API_KEY", "").strip()
    if not key:
        hint = (
            "use the embedded default" if kind == "tinker" else "set it to any tml-… text if the service asks for none"
        )
        raise BackendError(f"TINKER_API_KEY is not set; export your key (it starts with tml-), or {hint}")
    if not key.startswith("tml-"):
        raise BackendError(
            "TINKER_API_KEY does not start with tml-, so it is no Tinker key; copy it again from the console"
        )
    return key


def _served_model(base_url: str, key: str, wanted: str) -> str:
    """Ask the service which models it serves; returns ``wanted``, or the only model where none is named."""
    if not _is_address(base_url):
        raise SettingsError(f"--base-url {base_url}: not an address such as http://127.0.0.1:8000")
    try:
        answer = httpx.get(
            f"{base_url}/api/v1/get_server_capabilities",
            headers={"X-API-Key": key},
            timeout=httpx.Timeout(PROBE_SECONDS, connect=5.0),
            follow_redirects=True,
        )
    except httpx.ConnectError:
        raise BackendError(
            f"{base_url}: nobody is listening there; start the service, or correct the address"
        ) from None
    except httpx.TimeoutException:
        raise BackendError(
            f"{base_url}: no answer within {PROBE_SECONDS:.0f} seconds; is this a Tinker service?"
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise BackendError(f"{base_url}: {error}; is this a Tinker service?") from None
    if answer.status_code in (401, 403):
        raise BackendError(f"{base_url}: the service refuses this TINKER_API_KEY (HTTP {answer.status_code})")
    if answer.status_code != 200:
        raise BackendError(
            f"{base_url}: HTTP {answer.status_code} where a Tinker service lists its models; wrong address?"
        )
    try:
        names = [str(entry["model_name"]) for entry in answer.json()["supported_models"]]
    except (ValueError, KeyError, TypeError):
        raise BackendError(f"{base_url}: the answer is not that of a Tinker service; wrong address?") from None
    if wanted:
        if names and wanted not in names:
            raise ModelError(f"{wanted}: not served at {base_url}; it serves {', '.join(sorted(names)[:12])}")
        return wanted
    if len(names) != 1:
        raise SettingsError(
            f"--model is needed: {base_url} serves {', '.join(sorted(names)[:12]) or 'no model by name'}"
        )
    return names[0]


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


@contextmanager
def _embedded_server(model: models.Model, store: Path) -> Iterator[tuple[str, str]]:
    """Run ``python -m tinkersql.engine`` as a child on a free loopback port; yields its address and key."""
    key = f"tml-{secrets.token_urlsafe(24)}"
    command = [
        sys.executable,
        "-m",
        "tinkersql.engine",
        "--model-folder",
        str(model.folder),
        "--model-name",
        model.name,
    ]
    command += ["--store", str(store), "--exit-with-parent"]
    _keep_loopback_off_proxies()
    log = store.parent / "server.log"
    with log.open("w", encoding="utf-8") as errors:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # closed when this process ends, however it ends: the child's sign to stop
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "TINKERSQL_SERVER_KEY": key},
            start_new_session=True,  # a Ctrl-C in the terminal is for us: the server must live to save the checkpoint
        )
    try:
        yield _address(child, log), key
    finally:
        _stop(child)


def _address(child: "subprocess.Popen[str]", log: Path) -> str:
    """The address in the server's ready line; its last words in the log where it did not start."""
    assert child.stdout is not None
    try:
        ready: Any = json.loads(child.stdout.readline())
        return str(ready["base_url"])
    except (ValueError, KeyError, TypeError):
        child.wait(timeout=30)
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        reason = said[-1].removeprefix("error: ") if said else f"exit code {child.returncode}"
        raise BackendError(f"the embedded server did not start: {reason}") from None


def _stop(child: "subprocess.Popen[str]") -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.close()
    try:
        child.wait(timeout=15)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    child.stdout.close()


def _keep_loopback_off_proxies() -> None:
    """Both HTTP transports of the SDK honour HTTP_PROXY, and hang when it is set and loopback is not excluded."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))
