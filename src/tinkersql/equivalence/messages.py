"""Messages between the caller and its worker: four bytes of length (big-endian), then JSON in ASCII.

JSON and not pickle, so that neither side can make the other run anything; ASCII, so that lone surrogates survive.
"""

import json
from typing import IO, Any


def read_message(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next message, or None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    body = stream.read(size)
    return json.loads(body) if len(body) == size else None


def write_message(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Write one message and flush it."""
    body = json.dumps(message).encode("ascii")
    stream.write(len(body).to_bytes(4, "big") + body)
    stream.flush()
