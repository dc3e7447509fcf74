"""Take a tuned model away: as an adapter, as a merged model, or as a GGUF file, each checked against the original."""

from tinkersql.export.exporting import export
from tinkersql.export.request import KINDS, QUANTIZATIONS, Kind, Quantization, Request

__all__ = ["KINDS", "QUANTIZATIONS", "Kind", "Quantization", "Request", "export"]
