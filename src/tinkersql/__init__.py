"""tinkersql: fine-tune a small language model for text-to-SQL, and prove the gain with executed queries."""

from typing import TYPE_CHECKING, Any

from tinkersql._version import __version__

if TYPE_CHECKING:
    from tinkersql.equivalence import sql_matches

__all__ = ["__version__", "sql_matches"]


def __getattr__(name: str) -> Any:
    """Load ``sql_matches`` when it is first asked for, so that ``import tinkersql`` stays light."""
    if name == "sql_matches":
        from tinkersql.equivalence import sql_matches

        return sql_matches
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
