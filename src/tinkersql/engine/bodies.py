"""Reading the bodies of requests: bounded, and decompressed within the same bound."""

from __future__ import annotations

import json
from typing import Any

import zstandard
from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BODY_BYTES = 64 << 20
"""Largest request body, before and after decompression; the SDK splits training data into requests of about 5 MB."""

MAX_WINDOW_BYTES = 8 << 20
"""What a compressed body may have the decoder remember: the least that RFC 8878 asks of a decoder."""


async def read(request: Request, body: bytearray | None = None) -> bytes:
    """The body, decompressed where it is zstd.

    Raises HTTPException: 413 where it is too large, 415 for other encodings, 400 where it cannot be decompressed.
    `body` then holds what had been read of it.
    """
    body = bytearray() if body is None else body
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "zstd"):
        raise HTTPException(415, f"bodies encoded as {encoding!r} are not supported by this server: zstd is")
    decoder = _Zstd(body) if encoding == "zstd" else None
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if decoder is not None:
            decoder.feed(chunk)
        else:
            body += chunk
        if max(received, len(body)) > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body is larger than {MAX_BODY_BYTES >> 20} MiB")
    if decoder is not None:
        decoder.end()
    return bytes(body)


async def read_json(request: Request) -> Any:
    """The body as JSON in UTF-8. Raises HTTPException as `read` does, and 422 where it is none.

    Nor may it hold half of a surrogate pair, which JSON can write and nothing else can: no answer could quote it.
    """
    try:
        text = (await read(request)).decode()
        content = json.loads(text)
        halves = "\\u" in text and not _is_text(content)
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, "the body is not JSON") from error
    if halves:
        raise HTTPException(422, 'the body holds half of a surrogate pair, as in "\\ud800": that is no text')
    return content


def _is_text(content: Any) -> bool:
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


class _Zstd:
    """Decompresses into `body`, in pieces so small that no bomb gets far beyond `MAX_BODY_BYTES`."""

    _PIECE = 512
    """Compressed bytes at once. 4 of them can stand for 128 KiB, so that a piece becomes 16 MiB at worst."""

    def __init__(self, body: bytearray) -> None:
        self._body = body
        self._decoder = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()

    def feed(self, chunk: bytes) -> None:
        """Add what the next compressed bytes hold, as far as the bound allows. Raises HTTPException."""
        try:
            for start in range(0, len(chunk), self._PIECE):
                self._body += self._decoder.decompress(chunk[start : start + self._PIECE])
                if len(self._body) > MAX_BODY_BYTES:
                    return
        except (zstandard.ZstdError, EOFError) as error:
            raise HTTPException(400, f"the body is not one frame of zstd: {error}") from error

    def end(self) -> None:
        """Raise HTTPException where its end is missing, or something follows it."""
        if not self._decoder.eof or self._decoder.unused_data:
            raise HTTPException(400, "the body is not one frame of zstd")
