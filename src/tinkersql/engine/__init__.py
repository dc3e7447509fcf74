"""The embedded Tinker server: LoRA training and sampling of a small model, for the unmodified Tinker SDK."""

import os


def tame_torch() -> None:
    """Settle two of PyTorch's habits on small machines; call it before torch is first imported.

    Helper threads sleep where they wait for each other. By default they spin: on few cores, one other busy process
    then keeps them all waiting at every small operation, and training becomes many times slower.

    oneDNN remembers 32 compiled products instead of 1,024. Rows of many lengths make many shapes, and what it keeps for
    each makes the process grow with every step of training.

    Variables that are already set stay.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
