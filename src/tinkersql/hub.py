"""The Hugging Face hub through ``huggingface_hub``: its cache, and no minutes of retries without a network.

``HF_ENDPOINT``, ``HF_HUB_OFFLINE``, ``HF_HOME`` and their kin are read at every call and handed on, because
``huggingface_hub`` itself reads them only once, when it is imported.
"""

import io
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tinkersql.cache import Progress, silent

_PATIENCE = 5.0  # seconds for the hub's first answer, which takes a fraction of one where there is a network

T = TypeVar("T")


class HubError(Exception):
    """Something cannot be had from the hub: why, in one clause. The caller knows what the user can do instead."""


def cached_file(repo: str, filename: str, *, repo_type: str = "model") -> Path | None:
    """A file of a repository's main branch if a complete download of it lies in the hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, filename, cache_dir=_cache(), repo_type=repo_type)
    return Path(found) if isinstance(found, str) else None


def download_file(repo: str, filename: str, *, repo_type: str = "model", progress: Progress = silent) -> Path:
    """Download a file of a repository's main branch into the hub's cache.

    Raises:
        HubError: the hub cannot be reached, has no such file, or the download broke off.
    """
    from huggingface_hub import hf_hub_download

    def download() -> str:
        return hf_hub_download(
            repo,
            filename,
            repo_type=repo_type,
            cache_dir=_cache(),
            endpoint=_endpoint(),
            tqdm_class=_bar(progress, f"download {filename}"),
        )

    return Path(_ask(repo, download))


def cached_snapshot(repo: str) -> Path | None:
    """The folder of a model's main branch in the hub's cache, if there is one; files may be missing from it."""
    config = cached_file(repo, "config.json")
    return config.parent if config else None


def download_snapshot(repo: str, patterns: Sequence[str], *, progress: Progress = silent) -> Path:
    """Download those files of a model's main branch that match ``patterns`` into the hub's cache; returns their folder.

    Raises:
        HubError: the hub cannot be reached, has no such model, or the download broke off.
    """
    from huggingface_hub import snapshot_download

    def download() -> str:
        return snapshot_download(
            repo,
            allow_patterns=list(patterns),
            cache_dir=_cache(),
            endpoint=_endpoint(),
            tqdm_class=_bar(progress, f"download {repo}"),
        )

    return Path(_ask(repo, download))


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _cache() -> Path:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if chosen := os.environ.get(variable):
            return Path(chosen).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface" / "hub"


def _ask(repo: str, download: Callable[[], T]) -> T:
    from huggingface_hub import errors

    _require_reachable()
    try:
        return download()
    except errors.GatedRepoError as error:
        raise HubError(f"{repo} is gated: accept its licence on its page and set HF_TOKEN") from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(f"there is no {repo} at {_endpoint()}, or HF_TOKEN does not open it") from error
    except errors.RemoteEntryNotFoundError as error:
        raise HubError(f"{repo} lacks a file ({_first_line(error)})") from error
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError) as error:
        # The second hides the server's answer: it says only that the cache, the last resort, has not got the file.
        reason = _first_line(error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ else error)
        raise HubError(f"{_endpoint()} does not hand out {repo} ({reason})") from error
    except OSError as error:  # a full disk, or fewer bytes than announced
        raise HubError(f"the download of {repo} broke off ({_first_line(error)})") from error
    except Exception as error:  # the HTTP client's own exceptions, which huggingface_hub changed between versions
        raise HubError(f"the connection to {_endpoint()} broke off ({_first_line(error)})") from error


def _require_reachable() -> None:
    """Ask the hub for a sign of life, within a few seconds.

    Raises:
        HubError: there was none, or ``HF_HUB_OFFLINE`` forbids asking.
    """
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(variable, "").upper() in {"1", "ON", "YES", "TRUE"}:
            raise HubError(f"{variable} is set and the hub's cache has not got it")
    failure: list[str] = ["no answer within a few seconds"]

    def knock() -> None:
        from huggingface_hub.utils import get_session

        try:
            status = get_session().head(_endpoint(), timeout=_PATIENCE, follow_redirects=False).status_code
            # A hub in trouble counts as none: huggingface_hub would repeat its question for half a minute.
            failure[:] = [f"it answers {status}"] if status >= 500 else []
        except Exception as error:  # whatever the HTTP client raises means the same here
            failure[:] = [_first_line(error)]

    # In a thread, because the look-up of a host's name knows no timeout and may hang for half a minute.
    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    if failure:
        raise HubError(f"the Hugging Face hub at {_endpoint()} cannot be reached ({failure[0]})")


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _bar(progress: Progress, label: str) -> type[Any]:
    """A tqdm class for ``huggingface_hub`` that draws nothing and tells ``progress`` about bytes."""
    from tqdm import tqdm

    class Bar(tqdm):
        # No watching thread: it can block for ever on a bar that the garbage collector closes while the thread starts.
        monitor_interval = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "file": io.StringIO()})

        def display(self, *_args: Any, **_kwargs: Any) -> None:
            # A snapshot has three bars: files, bytes on the wire (which deduplication makes fewer), and bytes written.
            if self.unit == "B" and self.desc != "Downloading bytes: ":
                progress(label, int(self.n), int(self.total) if self.total else None)

    return Bar
