"""The embedded Tinker server: LoRA training and sampling of a small Llama, for the unmodified Tinker SDK."""

import os


def yield_cores_while_waiting() -> None:
    """Let PyTorch's helper threads sleep where they wait for each other; call it before torch is first imported.

    By default they spin. On a machine with few cores, one other busy process then keeps them all waiting at every
    small operation, and training becomes ten times slower; sleeping costs next to nothing when the machine is quiet.
    An OMP_WAIT_POLICY that is already set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
