"""Fine-tuning through a Tinker training client, in sittings that can be stopped and resumed at any step."""

from tinkersql.tuning.loop import Diary, Training, train
from tinkersql.tuning.material import SHORTEST_EXAMPLE, Material, gather, introduce
from tinkersql.tuning.plan import Plan
from tinkersql.tuning.record import is_begun
from tinkersql.tuning.sitting import Sitting, begin, resume
from tinkersql.tuning.start import Start

__all__ = [
    "SHORTEST_EXAMPLE",
    "Diary",
    "Material",
    "Plan",
    "Sitting",
    "Start",
    "Training",
    "begin",
    "gather",
    "introduce",
    "is_begun",
    "resume",
    "train",
]
