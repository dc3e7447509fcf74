"""tinkersql: fine-tune a small language model for text-to-SQL, and prove the gain with executed queries."""

from tinkersql._version import __version__

__all__ = ["__version__"]
