"""Settings from a TOML file, and a run's settings as such a file."""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tinkersql.console import printable
from tinkersql.errors import SettingsError
from tinkersql.settings import PRESETS, Resolved, Settings, resolve

OTHERS: dict[str, type] = {"preset": str, "name": str, "runs": str, "prices": str, "spend": float, "yes": bool}
"""Keys beside the settings, each of them an option as well."""
ALIASES = {"from": "start", "stop": "stops"}
"""Settings that have another name as options; a file takes both."""
RUNS = Path("runs")
"""Where run folders lie if nobody says otherwise."""

_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", tuple: "a list of texts"}


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for: settings, the folder of run folders, and the name of one in it."""

    resolved: Resolved
    runs: Path
    name: str


def request(
    config: Path | None,
    given: Mapping[str, Any],
    preset: str | None,
    runs: Path | None,
    name: str | None,
    inherit: Callable[[Path], Mapping[str, Any]] | None = None,
) -> Request:
    """Lay the command line over a configuration file, and both over a preset; None stands for what was not given.

    ``inherit`` tells the settings that come with the weights of a run, for a command that can start from some.

    Raises:
        SettingsError: The file or a value makes no sense.
    """
    file = read_config(config) if config else {}
    others = {key: file.pop(key) for key in OTHERS if key in file}
    start = given.get("start") or file.get("start")
    inherited = inherit(Path(start)) if start and inherit else {}
    resolved = resolve(preset or others.get("preset", "cpu"), given, file, str(config), inherited)
    resolved = replace(resolved, settings=absolute(resolved.settings))
    folder = runs or Path(others.get("runs", RUNS))
    return Request(resolved, folder, name or others.get("name") or datetime.now().strftime("%Y-%m-%d-%H%M%S"))


def absolute(settings: Settings) -> Settings:
    """The same, with absolute paths of a data file and a model's folder, which hold in any directory."""
    data, model = Path(settings.data), Path(settings.model).expanduser()
    if settings.data not in ("hub", "built-in") and data.is_file():
        settings = replace(settings, data=str(data.absolute()))
    if settings.backend == "embedded" and settings.model and model.is_dir():
        settings = replace(settings, model=str(model.absolute()))
    return settings


def read_config(path: Path) -> dict[str, Any]:
    """Read settings by name, and `OTHERS`; dashes in names are underscores, and names of options are taken, too.

    Raises:
        SettingsError: The file cannot be read, is no TOML, or has a key or a value that makes no sense.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--config {path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise SettingsError(f"--config {path}: no TOML: {' '.join(str(error).split())}") from None
    kinds = {f.name: type(getattr(PRESETS["cpu"], f.name)) for f in fields(Settings)} | OTHERS
    values: dict[str, Any] = {}
    for key, value in document.items():
        name = key.replace("-", "_")
        name = ALIASES.get(name, name)
        if name not in kinds:
            raise SettingsError(f"--config {path}: there is no setting {key!r}; they are {', '.join(kinds)}")
        if name in values:
            raise SettingsError(f"--config {path}: {key} is there twice, under two names")
        values[name] = _as(kinds[name], value, f"--config {path}: {key}")
    return values


def to_toml(resolved: Resolved) -> str:
    """Every setting, with its source as a comment; `read_config` reads it back."""
    lines = ["# The settings of this run; tinkersql run, or train, --config FILE repeats it.", ""]
    for name, entry in resolved.to_dict().items():
        # JSON's texts, numbers, truth values and arrays of texts are TOML's as well, but for one character.
        value = json.dumps(entry["value"], ensure_ascii=False).replace("\x7f", "\\u007f")
        lines.append(f"{name} = {value}  # {printable(entry['source'])}")
    return "\n".join(lines) + "\n"


def _as(kind: type, value: Any, where: str) -> Any:
    if kind is tuple and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise SettingsError(f"{where} must be {_WORDS[kind]}, and is {value!r}")
    return value
