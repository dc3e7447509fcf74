"""What a service charges for a model's tokens: a packaged table, and the user's own over it."""

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from tinkersql.errors import SettingsError

_PACKAGED = "prices.toml"
_KINDS = ("train", "prefill", "sample")


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens.

    Attributes:
        train: Of the datums that forward and backward passes read: SDK 0.38 bills "training tokens processed by
            forward/backward passes" (``TrainingBillingEvent``), whatever their weight.
        prefill: Of prompts that are answered.
        sample: Of answers.
        origin: Where the figures come from, with their date.
    """

    train: float
    prefill: float
    sample: float
    origin: str

    def of(self, train: int, prefill: int, sample: int) -> float:
        """USD for so many tokens of each kind."""
        return (train * self.train + prefill * self.prefill + sample * self.sample) / 1e6


def load_prices(file: Path | None = None) -> dict[str, Price]:
    """Prices by the service's name of the model.

    Later tables replace the entries of earlier ones: the packaged one, ``tinkersql/prices.toml`` in the user's
    configuration (``$XDG_CONFIG_HOME``, by default ``~/.config``), and ``file``.

    Raises:
        SettingsError: A table cannot be read; names the file and the key.
    """
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    own = configuration / "tinkersql" / _PACKAGED
    prices = _read(resources.files("tinkersql.tuning") / _PACKAGED, _PACKAGED)
    if own.is_file():
        prices |= _read(own, str(own))
    if file is not None:
        prices |= _read(file, str(file))
    return prices


def _read(file: Traversable, name: str) -> dict[str, Price]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{name}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{name}: no TOML ({reason}); a name with a slash or a dot needs quotes") from None
    source = table.pop("source", name)
    if not isinstance(source, str):
        raise SettingsError(f"{name}: source: give the text of an address, not {source!r}")
    return {model: _price(entry, source, f"{name}: {model!r}") for model, entry in table.items()}


def _price(entry: Any, source: str, where: str) -> Price:
    if not isinstance(entry, Mapping):
        raise SettingsError(f'{where}: a model is a table, such as ["org/name"], with {", ".join(_KINDS)}')
    for key in entry:
        if key not in (*_KINDS, "date"):
            raise SettingsError(f"{where}: {key}: no such key; a model has {', '.join(_KINDS)} and date")
    for kind in _KINDS:
        value = entry.get(kind)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            given = "is missing" if value is None else f"is {value!r}"
            raise SettingsError(f"{where}: {kind} {given}; give USD per million tokens, such as 0.44")
    day = entry.get("date")
    if day is not None and type(day) is not date:
        raise SettingsError(f"{where}: date is {day!r}; write a day without quotes, such as 2026-10-07")
    origin = f"{source}, {day.isoformat()}" if day else source
    return Price(float(entry["train"]), float(entry["prefill"]), float(entry["sample"]), origin)
