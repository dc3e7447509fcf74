"""Whom the SDK talks to: a base URL, a key and a model name.

This is the only module that knows whether the service is embedded, hosted or somebody's cluster.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from tinkersql import embedded, models
from tinkersql.console import Reporter
from tinkersql.errors import BackendError, ModelError, RunError, SettingsError
from tinkersql.settings import HOSTED_MODEL, BackendKind, Settings
from tinkersql.waiting import connection_trouble, told_by

if TYPE_CHECKING:
    import tinker
    from transformers import PreTrainedTokenizerBase

HOSTED_URL = "https://tinker.thinkingmachines.dev/services/tinker-prod"
"""Production address of the Tinker service, the default of SDK 0.38."""

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
        context_length: The most tokens of a prompt and its answer; None where the service does not say.
    """

    kind: BackendKind
    base_url: str
    key: str
    model: str
    provenance: Mapping[str, str | None]
    context_length: int | None = None

    @contextmanager
    def service(self) -> "Iterator[tinker.ServiceClient]":
        """The official SDK's client of this service; its session ends with the context.

        Raises:
            BackendError: In place of the SDK's own errors, with their message on one line.
        """
        import tinker

        client = tinker.ServiceClient(base_url=self.base_url, api_key=self.key)
        with _sdk_errors(self.base_url, "; what was saved stays, and a run can go on from its last checkpoint"):
            try:
                yield client
            except tinker.TinkerError:
                client.close("errored")  # not awaited: the service may be gone
                raise
        # The work is done and saved: a service that does not answer now may end the session by itself.
        with suppress(tinker.TinkerError, TimeoutError):
            client.close("success").result(timeout=PROBE_SECONDS)

    def rest(self) -> "tinker.RestClient":
        """The official SDK's client for checkpoints; errors are those of `service`, in whose context it is used."""
        import tinker

        return tinker.RestClient(base_url=self.base_url, api_key=self.key)

    def tokenizer(self, client: "tinker.TrainingClient | tinker.SamplingClient") -> "PreTrainedTokenizerBase":
        """The model's tokenizer, from the folder or the hub repository that the service names.

        Raises:
            ModelError: It is in no cache and the hub cannot be reached.
        """
        try:
            return client.get_tokenizer()
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(
                f"{self.model}: its tokenizer cannot be loaded ({reason}); the Hugging Face hub must be reachable "
                "once, or set HF_ENDPOINT to a mirror"
            ) from error


def check(settings: Settings) -> None:
    """Look at key and address before any work is done.

    Raises:
        BackendError: A key is needed and there is none, or it is no Tinker key.
        SettingsError: The base URL is no address.
    """
    if settings.backend != "embedded":
        _key(settings.backend)
    if settings.base_url and not _is_address(settings.base_url):
        raise SettingsError(f"--base-url {settings.base_url}: not an address such as http://127.0.0.1:8000")


@contextmanager
def connect(
    settings: Settings, store: Path, reporter: Reporter, logs: Path | None = None, *, exact: bool = False
) -> Iterator[Backend]:
    """Start or reach the service that the settings name, and check that it serves the model.

    Args:
        settings: ``backend``, ``base_url`` and ``model`` are read.
        store: Where the embedded server keeps its checkpoints.
        reporter: Told what is being waited for.
        logs: The folder for ``server.log`` and ``client.log``; that of the store by default.
        exact: Whether the embedded server computes in float32, also where bfloat16 is faster.

    Raises:
        BackendError: No key, nobody listening, or the key is refused.
        ModelError: The model is unknown there, or cannot be had here.
    """
    check(settings)
    logs = logs or store.parent
    with _sdk_log(logs / "client.log"):
        if settings.backend == "embedded":
            local = _as_on_record(_local_model(settings.model, reporter), store)
            reporter.say(f"Starting the embedded Tinker server with {local.name}")
            with embedded.server(local, store, logs, exact=exact) as (base_url, key):
                model, context = _served_model(base_url, key, local.name)
                provenance = {
                    "name": local.name,
                    "source": local.source,
                    "sha256": local.sha256,
                    "license": local.license,
                }
                yield Backend("embedded", base_url, key, model, provenance, context)
        else:
            base_url, key = _remote(settings)
            wanted = settings.model or (HOSTED_MODEL if settings.backend == "tinker" else "")
            model, context = _served_model(base_url, key, wanted)
            source = f"Tinker service at {urlsplit(base_url).netloc}"
            provenance = {"name": model, "source": source, "sha256": None, "license": None}
            yield Backend(settings.backend, base_url, key, model, provenance, context)


@contextmanager
def rest(settings: Settings, store: Path) -> "Iterator[tinker.RestClient]":
    """The SDK's client of what a service has saved: training runs and checkpoints, without loading a model.

    Args:
        settings: ``backend`` and ``base_url`` are read.
        store: The embedded server's folder of checkpoints, which is served as long as the context lasts.

    Raises:
        BackendError: No key, nobody listening, or the key is refused; also in place of the SDK's own errors.
        RunError: There is no such store, or it cannot be opened.
    """
    check(settings)
    with ExitStack() as stack:
        if settings.backend == "embedded":
            if not store.is_dir():
                raise RunError(f"{store}: no checkpoints lie there; give the folder of a run, or of an embedded store")
            from tinkersql.engine import shelf  # imports torch

            embedded.keep_loopback_off_proxies()
            base_url, key = stack.enter_context(shelf.serve(store))
        else:
            base_url, key = _remote(settings)
            _served_models(base_url, key)  # at once, where the SDK would try for minutes
        import tinker

        stack.enter_context(_sdk_log(Path(os.devnull)))
        stack.enter_context(_sdk_errors(base_url))
        yield tinker.RestClient(base_url=base_url, api_key=key)


def _remote(settings: Settings) -> tuple[str, str]:
    """Address and key of a service that is not embedded."""
    return (settings.base_url or HOSTED_URL).rstrip("/"), _key(settings.backend)


@contextmanager
def _sdk_errors(base_url: str, comfort: str = "") -> Iterator[None]:
    """Turn the SDK's errors into one line, which ends with ``comfort``."""
    import tinker

    try:
        yield
    except tinker.APIConnectionError as error:
        trouble = connection_trouble(error)
        raise BackendError(f"the service at {base_url} is out of reach ({trouble}){comfort}") from error
    except tinker.TinkerError as error:
        raise BackendError(f"the service at {base_url} failed: {told_by(error)}{comfort}") from error


def _local_model(name: str, reporter: Reporter) -> models.Model:
    with reporter.downloads() as progress:
        return models.resolve(name or models.DEFAULT, progress=progress)


def _as_on_record(model: models.Model, store: Path) -> models.Model:
    """The model by the name that a run's checkpoints know its weights by, wherever these lie now."""
    with suppress(OSError, ValueError, KeyError, TypeError):  # no run, or one that noted neither name nor hash
        plan = json.loads((store.parent / "plan.json").read_text(encoding="utf-8"))
        if plan["sha256"]["model"] == model.sha256:
            return replace(model, name=str(plan["model"]))
    return model


def _key(kind: BackendKind) -> str:
    key = os.environ.get("TINKER_API_KEY", "").strip()
    if not key:
        hint = (
            "use the embedded default" if kind == "tinker" else "set it to any tml-… text if the service asks for none"
        )
        raise BackendError(f"TINKER_API_KEY is not set; export your key (it starts with tml-), or {hint}")
    if not (key.isascii() and key.isprintable()):
        raise BackendError("TINKER_API_KEY holds characters that no key has; copy it again from the console")
    if not key.startswith("tml-"):
        raise BackendError(
            "TINKER_API_KEY does not start with tml-, so it is no Tinker key; copy it again from the console"
        )
    return key


def _served_model(base_url: str, key: str, wanted: str) -> tuple[str, int | None]:
    """Ask the service which models it serves; returns ``wanted``, or its only model, with the context length."""
    served = _served_models(base_url, key)
    names = ", ".join(sorted(served)[:12]) or "no model by name"
    if wanted and served and wanted not in served:
        raise ModelError(f"{wanted}: not served at {base_url}; it serves {names}")
    if not wanted and len(served) != 1:
        raise SettingsError(f"--model is needed: {base_url} serves {names}")
    model = wanted or next(iter(served))
    context = served.get(model)
    return model, context if isinstance(context, int) and context > 0 else None


def _served_models(base_url: str, key: str) -> dict[str, Any]:
    """Ask the service which models it serves: names, and the context length if it says so."""
    try:
        # No redirects: they would carry the key to another host.
        answer = httpx.get(
            f"{base_url}/api/v1/get_server_capabilities",
            headers={"X-API-Key": key},
            timeout=httpx.Timeout(PROBE_SECONDS, connect=5.0),
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
        return {
            str(entry["model_name"]): entry.get("max_context_length") for entry in answer.json()["supported_models"]
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BackendError(f"{base_url}: the answer is not that of a Tinker service; wrong address?") from None


@contextmanager
def _sdk_log(path: Path) -> Iterator[None]:
    """Keep the SDK's log in a file: on a terminal its warnings would bury the one line that matters."""
    logger = logging.getLogger("tinker")
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated
        handler.close()


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # No user:password@, which would stand in every report.
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        return False
