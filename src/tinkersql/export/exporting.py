"""Take a tuned model away: `tinkersql export`, from top to bottom."""

import json
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import torch

from tinkersql import backend as backends
from tinkersql import models
from tinkersql.backend import Backend
from tinkersql.cache import atomic_folder, sha256_of
from tinkersql.console import Reporter
from tinkersql.errors import ModelError, RunError
from tinkersql.evaluation import Answer
from tinkersql.evaluation.methods import PLAIN, Model, attempt
from tinkersql.export import gguf
from tinkersql.export.adapter import HEAD, Adapter, read_adapter, write_adapter
from tinkersql.export.card import NO_MERGE, about, card
from tinkersql.export.download import download, load
from tinkersql.export.merging import merge
from tinkersql.export.request import Quantization, Request
from tinkersql.export.verification import Exam, Exported, exam, verify
from tinkersql.models.folder import weight_files
from tinkersql.runs import ResultFolder, RunFolder, made, now, store_of
from tinkersql.settings import Settings

if TYPE_CHECKING:
    import tinker
    from transformers import PreTrainedTokenizerBase


def export(request: Request, out: Path, reporter: Reporter) -> tuple[Path, dict[str, Any]]:
    """Download the adapter, merge and convert it as asked, compare the result with the original, and keep it.

    Args:
        request: What to export, and from where.
        out: The folder to make. It appears complete and verified, or not at all.
        reporter: Shows what goes on.

    Returns:
        The folder, and what its ``export.json`` holds.

    Raises:
        TinkersqlError: Whatever a user can mend, a failed verification among it.
    """
    request.check()
    work = _Export(request, request.settings(), reporter)
    weights = request.weights()
    if request.kind == "gguf":
        gguf.need_converter()
        if request.verify:
            gguf.need_llama_cpp()
    backends.check(work.settings)
    out = out.absolute()
    ResultFolder.check_free(out, "--out")
    try:
        with atomic_folder(out) as folder, TemporaryDirectory(dir=folder, prefix=".work-") as scratch:
            return out, work.make(weights, out.name, folder, Path(scratch))
    except OSError as error:
        if isinstance(error, RunError | ConnectionError):
            raise
        raise RunError(
            f"{out}: cannot be written ({error.strerror or error}); make room, or choose another --out"
        ) from error


class _Export:
    """The steps of one export, and what has been found out on the way."""

    def __init__(self, request: Request, settings: Settings, reporter: Reporter) -> None:
        self.request, self.settings, self.reporter = request, settings, reporter
        self.run = None if request.run is None else RunFolder(request.run.absolute())
        self.created, self.started = now(), time.monotonic()

    def make(self, weights: str, name: str, folder: Path, scratch: Path) -> dict[str, Any]:
        """Fill ``folder``; ``scratch`` is for what is needed on the way."""
        request = self.request
        adapter, base, original = self._fetch(weights, scratch)
        base_name = base.hub_name if base else str(adapter.config.get("base_model_name_or_path"))
        merged, untied = None, False
        if base and (request.kind != "adapter" or request.verify):
            merged = folder if request.kind == "merged" else scratch / "merged"
            merged.mkdir(exist_ok=True)
            _check_room(base.folder, folder, copies=4 if request.kind == "gguf" else 1)
            # A GGUF file rounds in its own way: rounding to the base's dtype before would lose accuracy twice.
            dtype = torch.float32 if request.kind == "gguf" else None
            with self.reporter.downloads() as progress:
                untied = merge(base.folder, adapter, merged, progress, dtype)
        adapter_folder = folder if request.kind == "adapter" else scratch / "adapter"
        adapter_folder.mkdir(exist_ok=True)
        write_adapter(adapter, adapter_folder, base_name)
        if untied and request.kind != "adapter":
            self.reporter.say(
                "  The adapter changes the unembedding, which the base model ties to its embedding: untied "
                "(the merged model has a matrix more)"
            )
        # Without a verification nobody has looked at the base: what may be is said.
        unmergeable = request.kind == "adapter" and HEAD in adapter.pairs and (untied or base is None)
        if unmergeable:
            self.reporter.say(f"  {NO_MERGE}")
        file = self._convert(merged, folder, name) if request.kind == "gguf" and merged else None
        verification = None
        if original and base and merged:
            exported = Exported(request.kind, base.folder, adapter_folder, merged, file)
            verification = verify(exported, *original, self.settings, self.reporter)

        about_base: dict[str, str | None] = {"name": base_name, "source": None, "sha256": None, "license": None}
        if base:
            about_base |= {"source": base.source, "sha256": base.sha256, "license": base.license}
        written = sorted(path for path in folder.iterdir() if path.is_file())
        result: dict[str, Any] = {
            "name": name,
            "kind": request.kind,
            **made(self.created, self.started),
            "checkpoint": weights,
            "run": None if self.run is None else self.run.path.name,
            "base": about_base,
            "adapter": {"rank": adapter.rank, "scale": adapter.scale, "unembedding": HEAD in adapter.pairs},
            "peft_can_merge": not unmergeable if request.kind == "adapter" else None,
            "untied": untied and request.kind != "adapter",
            "quantization": self._quantization if request.kind == "gguf" else None,
            "prompt": {name: getattr(self.settings, name) for name in ("template", "stops", "max_tokens")},
            "files": {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in written},
            "verification": verification,
        }
        (folder / "export.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        said = about(self.run, weights)
        text = card(cast(Any, request.kind), name, about_base, self.settings, said, result, file.name if file else "")
        (folder / "README.md").write_text(text, encoding="utf-8")
        return result

    @property
    def _quantization(self) -> Quantization:
        return cast(Quantization, self.request.quantization or "f16")

    def _fetch(
        self, weights: str, scratch: Path
    ) -> "tuple[Adapter, models.Model | None, tuple[Exam, list[Answer], PreTrainedTokenizerBase] | None]":
        """The adapter, its base model, and the questions with the original's answers, as far as they are needed."""
        request, settings, reporter = self.request, self.settings, self.reporter
        with (
            store_of(request.run, request.store) as store,
            # The export is compared with the weights: rounding in bfloat16 would tip answers of its own.
            backends.connect(settings, store, reporter, scratch, exact=True) as backend,
            backend.service() as service,
        ):
            trainer = load(service, weights)
            reporter.say(f"Downloading {weights}")
            with reporter.downloads() as progress:
                download(backend.rest(), trainer, scratch, progress)
            adapter = read_adapter(scratch)
            if request.kind == "adapter" and not request.verify:
                return adapter, None, None
            base = self._base(backend, trainer)
            original = self._ask_original(base, trainer) if request.verify else None
        return adapter, base, original

    def _base(self, backend: Backend, trainer: "tinker.TrainingClient") -> models.Model:
        if backend.kind == "embedded":
            name = self.settings.model or models.DEFAULT
        else:
            name = self.request.model or trainer.get_info().model_data.model_name or backend.model
        try:
            with self.reporter.downloads() as progress:
                return models.resolve(name, progress=progress)
        except ModelError as error:
            raise ModelError(
                f"the base model's weights are needed here, too: {error} (export takes --model)"
            ) from error

    def _ask_original(
        self, base: models.Model, trainer: "tinker.TrainingClient"
    ) -> "tuple[Exam, list[Answer], PreTrainedTokenizerBase]":
        from transformers import AutoConfig, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(base.folder)
        context = AutoConfig.from_pretrained(base.folder).max_position_embeddings
        questions = exam(self.run, self.settings, tokenizer, context, self.reporter)
        sampler = trainer.save_weights_and_get_sampling_client().result()
        asked = Model("original", sampler, tokenizer, None)
        attempts = attempt(asked, PLAIN, self.settings, (), questions.examples, self.reporter)
        return questions, [each.answer for each in attempts], tokenizer

    def _convert(self, merged: Path, folder: Path, name: str) -> Path:
        from transformers import AutoConfig

        self.reporter.say(f"Converting to GGUF ({self._quantization})")
        file = folder / f"{name}.gguf"
        gguf.convert(merged, file, self._quantization, name)
        context = AutoConfig.from_pretrained(merged).max_position_embeddings
        text = gguf.modelfile(file.name, self.settings, min(context, 4096))
        (folder / "Modelfile").write_text(text, encoding="utf-8")
        return file


def _check_room(base: Path, folder: Path, copies: int) -> None:
    """Before minutes of work: is there room for so many copies of the base model's weights?"""
    needed = copies * sum(file.stat().st_size for file in weight_files(base))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RunError(
            f"{folder.parent}: {needed / 2**30:.1f} GiB are needed on the way, and {free / 2**30:.1f} GiB are free; "
            "make room, or choose another --out"
        )
