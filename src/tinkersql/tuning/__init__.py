"""Fine-tuning through a Tinker training client."""

from tinkersql.tuning.loop import Training, train

__all__ = ["Training", "train"]
