"""What a user asks `tinkersql export` for: the options, and whether they make sense together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from tinkersql.errors import SettingsError
from tinkersql.runs import RunFolder
from tinkersql.settings import Settings, changed, resolve

Kind = Literal["adapter", "merged", "gguf"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""A folder that PEFT loads; a folder that ``transformers`` and vLLM load; a file that llama.cpp and Ollama load."""

Quantization = Literal["q8_0", "f16"]
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)
"""How a GGUF file keeps its matrices: in 8.5 bits a weight, or in 16."""


@dataclass(frozen=True, slots=True)
class Request:
    """The options of ``tinkersql export``; None means not given.

    Attributes:
        kind: One of `KINDS`.
        run: The folder of a run, whose tuned model is exported, with the run's settings.
        checkpoint: A ``tinker://`` path of other weights.
        store: The embedded server's store in which the checkpoint lies.
        model: The base model: a hub name or a folder. By default what the run, or the service, says.
        quantization: One of `QUANTIZATIONS`, for GGUF alone; ``f16`` by default.
        verify: Whether the export is compared with the original before it is kept.
        changes: Settings given by the user, by their name: ``backend`` and ``base_url``.
    """

    kind: Kind
    run: Path | None = None
    checkpoint: str | None = None
    store: Path | None = None
    model: str | None = None
    quantization: Quantization | None = None
    verify: bool = True
    changes: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Look for contradictions.

        Raises:
            SettingsError: Options that make no sense, alone or together.
        """
        for problem in self._problems():
            raise SettingsError(problem)

    def settings(self) -> Settings:
        """Those of the run, or the defaults, with the user's changes.

        Raises:
            RunError: There is no such run.
            SettingsError: A value that makes no sense.
        """
        changes = dict(self.changes)
        if changes.get("base_url") and changes.get("backend") is None:
            changes["backend"] = "url"
        served = changes.get("backend") not in (None, "embedded")
        # A service knows its models by name; a folder is then where the same weights lie here.
        if self.model is not None and not (served and Path(self.model).is_dir()):
            changes["model"] = self.model
        if self.run is None:
            return resolve("cpu", changes).settings
        return changed(RunFolder(self.run).read_settings(), changes)

    def weights(self) -> str:
        """The ``tinker://`` path of what is exported.

        Raises:
            RunError: The run's training has not ended.
        """
        if self.checkpoint is not None:
            return self.checkpoint
        assert self.run is not None
        return RunFolder(self.run).tuned_state()

    def _problems(self) -> Iterator[str]:
        elsewhere = self.changes.get("base_url") or self.changes.get("backend") not in (None, "embedded")
        if self.kind not in KINDS:
            yield f"{self.kind}: nothing of that kind can be exported; choose one of {', '.join(KINDS)}"
        if self.quantization is not None and self.kind != "gguf":
            yield f"--quantization belongs to gguf; {self.kind} keeps the weights as they are"
        if self.quantization is not None and self.quantization not in QUANTIZATIONS:
            yield f"--quantization {self.quantization}: choose one of {', '.join(QUANTIZATIONS)}"
        if self.run is None and self.checkpoint is None:
            yield "export needs --run, the folder of a run, or --checkpoint tinker://…"
        if self.checkpoint is not None and not self.checkpoint.startswith("tinker://"):
            yield f"--checkpoint {self.checkpoint}: give a path such as tinker://RUN/weights/final"
        if self.store is not None and (self.checkpoint is None or self.run is not None or elsewhere):
            yield "--store says where the embedded server finds --checkpoint; a run and a service have their own"
        if self.store is not None and not self.store.is_dir():
            yield f"--store {self.store}: no such folder"
        if self.run is None and self.checkpoint is not None and self.store is None and not elsewhere:
            yield "--checkpoint: say with --run or --store where it lies, or with --base-url or --backend who serves it"
