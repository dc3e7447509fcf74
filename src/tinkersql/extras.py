"""Packages of the extras, which an installation may lack."""

from importlib import import_module
from typing import Any

from tinkersql.errors import SettingsError


def need(module: str, what: str, extra: str) -> Any:
    """Import a module of an extra.

    Args:
        module: Its full name, such as ``pyarrow.parquet``.
        what: The subject of the message, with its verb: ``Parquet files need pyarrow``.
        extra: Whose installation brings it.

    Raises:
        SettingsError: it is not installed; names the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError:
        raise SettingsError(
            f"{what}, which is not installed; install it with: pip install 'tinkersql[{extra}]'"
        ) from None


def need_parquet() -> Any:
    """The module ``pyarrow.parquet``.

    Raises:
        SettingsError: pyarrow is not installed.
    """
    return need("pyarrow.parquet", "Parquet files need pyarrow", "parquet")
