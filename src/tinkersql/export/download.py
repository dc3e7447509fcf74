"""Get a checkpoint's adapter out of a Tinker service: the same way for the embedded server, the hosted one and others.

A service hands out *external weights* alone. So the checkpoint is loaded into a training client, saved as external
weights that live for an hour, and fetched file by file from signed links, as the SDK's own ``tinker checkpoint
download`` does it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tinkersql.cache import Progress, silent
from tinkersql.console import printable
from tinkersql.errors import ModelError, RunError

if TYPE_CHECKING:
    import tinker

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""The files of an adapter in PEFT's format, and the only ones that are fetched, whatever else a service offers."""

MOST_BYTES = {CONFIG: 2**20, WEIGHTS: 2**36}
"""What no honest file of that name exceeds: a hostile service shall not fill the disk."""

_LIFETIME_SECONDS = 3600  # the least that the hosted service takes
_PATIENCE = httpx.Timeout(60.0, connect=10.0)


def load(service: "tinker.ServiceClient", checkpoint: str) -> "tinker.TrainingClient":
    """A training client with the weights of a checkpoint.

    Raises:
        ModelError: The service has no such checkpoint, or it is damaged.
    """
    import tinker

    try:
        return service.create_training_client_from_state(checkpoint).result()
    except (tinker.BadRequestError, tinker.NotFoundError, tinker.RequestFailedError) as error:
        body = getattr(error, "body", None)
        detail = str(body.get("detail") if isinstance(body, dict) else error).split(" for self.request_id")[0]
        raise ModelError(f"{checkpoint}: the service cannot load these weights ({printable(detail)})") from error


def download(
    rest: "tinker.RestClient", trainer: "tinker.TrainingClient", folder: Path, progress: Progress = silent
) -> None:
    """Write the adapter of a training client into the existing ``folder``; what was saved for it is deleted again.

    Raises:
        ModelError: The service does not hand it out, or not whole.
        RunError: The folder cannot be written, or the disk is full.
    """
    path = trainer.save_weights_external("export", ttl_seconds=_LIFETIME_SECONDS).result().path
    try:
        fetch(rest.get_external_weights_urls(path).result().urls, folder, progress)
    finally:
        rest.delete_checkpoint_from_tinker_path(path).result()


def fetch(urls: Mapping[str, str], folder: Path, progress: Progress = silent) -> None:
    """Fetch the two files of an adapter from their links, without any key, into the existing ``folder``.

    Args:
        urls: Link by file name, as a service gives them; other names are ignored.
        folder: Where the files go.
        progress: Told about the bytes.

    Raises:
        ModelError: A link is missing, does not work, or gives less or far more than it should.
        RunError: The folder cannot be written, or the disk is full.
    """
    for name, most in MOST_BYTES.items():
        if name not in urls:
            raise ModelError(f"the service hands out no {name}, but {printable(', '.join(urls)[:200]) or 'nothing'}")
        try:
            _fetch(urls[name], folder / name, most, progress)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ModelError(f"the download of {name} broke off ({printable(str(error))}); try again") from error
        except OSError as error:
            raise RunError(f"{folder / name}: cannot be written ({error.strerror}); make room") from error


def _fetch(url: str, path: Path, most: int, progress: Progress) -> None:
    label, done = f"download {path.name}", 0
    with httpx.stream("GET", url, timeout=_PATIENCE) as answer, path.open("wb") as file:
        if answer.status_code != 200:
            raise ModelError(f"the link to {path.name} does not work (HTTP {answer.status_code}); try again")
        length = answer.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        for chunk in answer.iter_bytes():
            done += len(chunk)
            if done > most:
                raise ModelError(f"the service sends more than {most:,} bytes for {path.name}: that is no adapter")
            file.write(chunk)
            progress(label, done, total)
