"""Links to files that a client fetches without the key: unguessable, and good for an hour."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

LIFETIME_SECONDS = 3600
"""How long a link works."""


class Links:
    """Signs links, and checks them. The secret is this process's own: a restart ends them all."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def sign(self, root: str, paths: list[str]) -> tuple[list[str], datetime]:
        """Links to those paths below the address `root`, and when they end."""
        expires = int(time.time()) + LIFETIME_SECONDS
        links = [
            f"{root}/{quote(path)}?{urlencode({'expires': expires, 'token': self._token(path, str(expires))})}"
            for path in paths
        ]
        return links, datetime.fromtimestamp(expires, UTC)

    def permits(self, path: str, expires: str, token: str) -> bool:
        """Whether a link to that path was signed here and has not ended; compared in constant time."""
        signed = hmac.compare_digest(self._token(path, expires).encode(), token.encode())
        return signed and int(expires) > time.time()

    def _token(self, path: str, expires: str) -> str:
        return hmac.new(self._secret, f"{expires}\n{path}".encode(), hashlib.sha256).hexdigest()
