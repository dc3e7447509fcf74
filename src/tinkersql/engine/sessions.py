"""Sessions: what each client owns. A little of it lies on disk, so that a restarted server goes on with its clients.

    STORE/.sessions/<id>/session.json      who serves which model; its time is when the client was last known to live
    STORE/.sessions/<id>/sampler-<n>.json  what sampler n samples from
    STORE/.sessions/<id>/snapshot-<n>/     the adapter of an unnamed snapshot
    STORE/.sessions/<id>/model-<n>.json    model n is, or was, in training: that cannot be brought back

A session is read back when its client next names it. Used on the event loop's thread only.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinkersql.engine.disk import Owner
from tinkersql.engine.faults import NotFound

IDLE_SECONDS = 7200.0
"""A session without heartbeat for this long has lost its client: what it holds is freed, its checkpoints stay.

An hour without network, or of a stopped client, must not cost a training.
"""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Session:
    """One client's session: what it owns, and what it was answered."""

    session_id: str
    folder: Path
    user_metadata: Mapping[str, str] | None = None
    display_name: str | None = None
    last_seen: float = field(default_factory=time.monotonic)
    replies: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What was answered to each creation of a model, so that a repeated one gets the same answer."""
    models: list[str] = field(default_factory=list)
    samplers: list[str] = field(default_factory=list)
    futures: set[str] = field(default_factory=set)
    ended: bool = False

    def seen(self) -> None:
        """Note that its client is alive."""
        self.last_seen = time.monotonic()

    def model_id(self, number: int) -> str:
        """The id of a model; the client predicts it."""
        return f"{self.session_id}:train:{number}"

    def sampler_id(self, number: int) -> str:
        """The id of a sampler; training clients and samplers share the numbering."""
        return f"{self.session_id}:sample:{number}"


class Sessions:
    """All sessions of the server."""

    def __init__(self, root: Path, owner: Owner, model: str) -> None:
        """root: the store's folder; model: what is served, since samplers of one model are none of another."""
        self._root = root / ".sessions"
        self._owner, self._model = owner, model
        self._live: dict[str, Session] = {}

    def create(self, user_metadata: Mapping[str, str] | None = None, display_name: str | None = None) -> Session:
        """A new session; what its client says about it is kept."""
        session_id = str(uuid.uuid4())
        session = Session(session_id, self._root / session_id, user_metadata, display_name)
        self._live[session_id] = session
        with contextlib.suppress(OSError):  # `record` will say so
            session.folder.mkdir(parents=True, exist_ok=True)
        self.record(session, "session", self._mark(session))
        return session

    def _mark(self, session: Session) -> dict[str, Any]:
        said = {"user_metadata": session.user_metadata, "display_name": session.display_name}
        return {"owner": self._owner.token, "model": self._model, **said}

    def get(self, session_id: str) -> Session:
        """The session, marked as alive. Raises NotFound."""
        session = self.find(session_id)
        session.seen()
        return session

    def find(self, session_id: str) -> Session:
        """The session, read back from disk after a restart; no sign that its client lives. Raises NotFound."""
        session = self._live.get(session_id) or self._revived(session_id)
        if session is None:
            raise NotFound(f"there is no session {session_id!r} on this server: it has ended")
        return session

    def live(self) -> list[Session]:
        """All sessions in memory."""
        return list(self._live.values())

    def end(self, session_id: str) -> Session | None:
        """Forget a session, also on disk; returns what was in memory of it."""
        session = self._live.pop(session_id, None)
        if session is not None:
            session.ended = True
        if _ID.fullmatch(session_id) and (session is not None or not self._is_served(self._root / session_id)):
            shutil.rmtree(self._root / session_id, ignore_errors=True)
        return session

    def record(self, session: Session, name: str, content: Mapping[str, Any]) -> None:
        """Keep something about a session beyond a restart. A disk that refuses costs no more than that."""
        try:
            self._owner.write_json(session.folder / f"{name}.json", content)
        except OSError as error:
            _log.warning("session %s would not survive a restart: %s", session.session_id, error)

    def recall(self, session: Session, name: str) -> Any:
        """What was recorded under that name, None where there is nothing."""
        return _read(session.folder / f"{name}.json")

    def idle(self) -> list[Session]:
        """Sessions whose clients have been silent for `IDLE_SECONDS`; those of the others are noted as alive on disk.

        Left-overs of dead servers that are as old are deleted here.
        """
        limit = time.monotonic() - IDLE_SECONDS
        for session in self._live.values():
            if session.last_seen >= limit:
                with contextlib.suppress(OSError):
                    os.utime(session.folder / "session.json")
        for folder in self._root.glob("*"):
            if folder.name not in self._live and self._is_left_over(folder):
                shutil.rmtree(folder, ignore_errors=True)
        return [session for session in self._live.values() if session.last_seen < limit]

    def _is_left_over(self, folder: Path) -> bool:
        file = folder / "session.json"
        try:
            age = time.time() - (file if file.exists() else folder).stat().st_mtime
        except OSError:
            return False  # deleted meanwhile
        return age > IDLE_SECONDS and not self._is_served(folder)

    def _is_served(self, folder: Path) -> bool:
        """Whether another living server that shares the store has this session."""
        content = _read(folder / "session.json")
        return isinstance(content, dict) and self._owner.is_alive(str(content.get("owner")))

    def _revived(self, session_id: str) -> Session | None:
        if not _ID.fullmatch(session_id):
            return None
        folder = self._root / session_id
        mark = _read(folder / "session.json")
        if not isinstance(mark, dict) or mark.get("model") != self._model or self._is_served(folder):
            return None
        session = Session(session_id, folder, mark.get("user_metadata"), mark.get("display_name"))
        session.samplers = [session.sampler_id(number) for number in _numbers(folder, "sampler")]
        session.models = [session.model_id(number) for number in _numbers(folder, "model")]
        self._live[session_id] = session
        self.record(session, "session", self._mark(session))
        return session


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _numbers(folder: Path, kind: str) -> list[int]:
    names = (path.stem.removeprefix(f"{kind}-") for path in folder.glob(f"{kind}-*.json"))
    return sorted(int(name) for name in names if name.isdecimal())
