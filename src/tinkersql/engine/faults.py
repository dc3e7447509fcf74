"""The ways in which a request fails through its sender's fault."""


class UserFault(Exception):
    """A request that asks for something impossible; its future fails with category "user" and this one-line message."""


class NotFound(UserFault):
    """A request that names a session, model, sampler or checkpoint that this server does not have."""


class Busy(UserFault):
    """Too much is queued: come back later."""


class OutsideVocabulary(UserFault):
    """A request with token ids that the model does not have, so with those of another model's tokenizer."""


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out. PyTorch has an error of its own for GPUs only; a CPU's allocator raises RuntimeError."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    )
