"""Fine-tuning through a Tinker training client."""

from tinkersql.tuning.loop import Training, checkpoint, train

__all__ = ["Training", "checkpoint", "train"]
