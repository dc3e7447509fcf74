"""The quality of text-to-SQL data: `audit` finds what is wrong with its rows, `clean` writes a copy without that."""

from tinkersql.corpus.quality.audit import Audit, audit
from tinkersql.corpus.quality.causes import CAUSES, Cause, Finding, Severity
from tinkersql.corpus.quality.cleaning import Cleaned, clean, log_of

__all__ = ["CAUSES", "Audit", "Cause", "Cleaned", "Finding", "Severity", "audit", "clean", "log_of"]
