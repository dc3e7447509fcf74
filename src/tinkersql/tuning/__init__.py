"""Fine-tuning through a Tinker training client, in sittings that can be stopped and resumed at any step."""

from tinkersql.tuning.loop import Diary, Training, train
from tinkersql.tuning.material import SHORTEST_EXAMPLE, Material, change, gather, introduce
from tinkersql.tuning.monitors import check_monitors
from tinkersql.tuning.plan import Plan
from tinkersql.tuning.record import is_begun
from tinkersql.tuning.sitting import Sitting, begin, fresh, lay_out, resume
from tinkersql.tuning.start import Start
from tinkersql.tuning.validation import best_of

__all__ = [
    "SHORTEST_EXAMPLE",
    "Diary",
    "Material",
    "Plan",
    "Sitting",
    "Start",
    "Training",
    "begin",
    "best_of",
    "change",
    "check_monitors",
    "fresh",
    "gather",
    "introduce",
    "is_begun",
    "lay_out",
    "resume",
    "train",
]
