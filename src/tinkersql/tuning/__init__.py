"""Fine-tuning through a Tinker training client, in sittings that can be stopped and resumed at any step."""

from tinkersql.tuning.loop import Diary, Training, train
from tinkersql.tuning.material import SHORTEST_EXAMPLE, Material, change, gather, introduce
from tinkersql.tuning.plan import Plan
from tinkersql.tuning.sitting import Sitting, begin, fresh, lay_out, resume

__all__ = [
    "SHORTEST_EXAMPLE",
    "Diary",
    "Material",
    "Plan",
    "Sitting",
    "Training",
    "begin",
    "change",
    "fresh",
    "gather",
    "introduce",
    "lay_out",
    "resume",
    "train",
]
