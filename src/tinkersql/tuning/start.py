"""The weights of an earlier run to start from, and the settings that come with them."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinkersql.config_file import absolute
from tinkersql.errors import RunError, SettingsError
from tinkersql.runs import RunFolder
from tinkersql.settings import Settings

WITH_THE_WEIGHTS = ("model", "backend", "base_url", "rank", "train_unembed", "template", "stops")
"""Settings that weights have for good."""
WITH_THE_DATA = ("data", "map", "split", "test_size", "seed", "recipe", "validate_every", "validation_size")
"""Settings that keep the earlier run's test questions out of the training, and what it has learnt out of the
validation, unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Start:
    """Checkpoints of the end of an earlier run.

    Attributes:
        state_path: To train on from.
        sampler_path: The same weights to sample from.
    """

    state_path: str
    sampler_path: str

    @classmethod
    def of(cls, run: Path, settings: Settings) -> "Start":
        """The end of the run in that folder, for a training with these settings.

        Raises:
            RunError: No run lies there, or its training has not ended.
            SettingsError: They differ from the run's where its weights allow no other.
        """
        folder = RunFolder(run)
        before = absolute(folder.read_settings())
        for name in WITH_THE_WEIGHTS:
            if getattr(settings, name) != getattr(before, name):
                raise SettingsError(
                    f"--{name.replace('_', '-')}: the weights of {run} have their own, "
                    f"{getattr(before, name)!r}: leave it out"
                )
        return cls(folder.tuned_state(), folder.tuned_model())

    def bring(self, run: Path, store: Path) -> None:
        """Copy both from the store of the run in that folder to another embedded server's, which is not running yet.

        So the new run needs the old one no more. The optimizer's state comes along, since the server takes no
        checkpoint that lacks a file; training starts with a fresh one all the same.

        Raises:
            RunError: They are not there, or the disk refuses.
        """
        for path in (self.state_path, self.sampler_path):
            # As in `tinkersql.engine.store`: tinker://RUN/KIND/NAME lies in RUN/KIND/NAME, with "_" for ":".
            model, kind, name = path.removeprefix("tinker://").replace(":", "_").split("/")
            old, new = RunFolder(run).store / model, store / model
            try:
                shutil.copytree(old / kind / name, new / kind / name)
                shutil.copy2(old / "run.json", new / "run.json")
            except (OSError, shutil.Error) as error:
                reason = getattr(error, "strerror", None) or "an incomplete copy"
                raise RunError(f"{run}: its checkpoint {path} cannot be copied ({reason})") from None

    def to_dict(self) -> dict[str, str]:
        """JSON-ready; the fields read it back."""
        return asdict(self)


def inherited(run: Path) -> Mapping[str, Any]:
    """The settings that a training which starts from that run takes over.

    Raises:
        RunError: No run lies there.
    """
    settings = RunFolder(run).read_settings()
    return {name: getattr(settings, name) for name in (*WITH_THE_WEIGHTS, *WITH_THE_DATA)}
