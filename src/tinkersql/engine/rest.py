"""The part of the HTTP face that `RestClient` and the ``tinker`` CLI use: what is there, and managing checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from tinkersql.engine import bodies, protocol
from tinkersql.engine.adapters import ADAPTER_FILES
from tinkersql.engine.faults import NotFound, UserFault
from tinkersql.engine.links import Links
from tinkersql.engine.store import EXTERNAL, KINDS, SAMPLER, TRAINING, Checkpoint, RunInfo, Store

FILES = "external_weights/"
"""Paths below this are fetched without the key: their links are signed."""

_NO_PROJECTS = "this server has no projects"
_OFF = "this server's client/config switches that off"
REFUSED = {
    (
        "POST",
        "copy_weights",
    ): f"{_NO_PROJECTS} to copy into: load the checkpoint and save it under another name",
    ("PUT", "sessions/{session_id}/project"): f"{_NO_PROJECTS} to move a session into",
    ("POST", "sessions/search"): "sessions cannot be searched on this server: list_sessions() lists all",
    ("GET", "sessions/{session_id}/trace_export"): "this server records no traces of sessions",
    ("GET", "audit"): "this server keeps no audit log",
    ("GET", "billing/usage/events"): "this server bills nothing",
    ("GET", "billing/usage/checkpoints/current"): "this server bills nothing: list_user_checkpoints() gives sizes",
    ("GET", "auth/apikey/me"): "this server has no users: it has one key",
    ("POST", "auth/token"): f"this server issues no tokens: {_OFF}",
    ("POST", "create_custom_loss"): f"custom losses are computed by the client: {_OFF}",
    ("POST", "join_sampling_session"): f"sampling clients number their own copies: {_OFF}",
    ("POST", "retrieve_futures"): f"futures are retrieved one by one: {_OFF}",
    (
        "GET",
        "training_runs/{run_id}/checkpoints/{kind}/{name}/archive",
    ): "this server packs no archives: use save_weights_external, or `tinker checkpoint download` of SDK 0.38",
}
"""What the SDK can ask of the hosted service alone, and what is answered here (status 400)."""


class Rest:
    """A store's training runs and checkpoints over HTTP; it needs no model."""

    def __init__(self, store: Store, prefix: str) -> None:
        """prefix: what all paths start with."""
        self._store, self._prefix = store, prefix
        self._links = Links()

    def routes(self) -> list[Route]:
        """All endpoints."""
        one = "training_runs/{run_id}/checkpoints/{kind}/{name}"
        handlers = {
            ("GET", "training_runs"): self._training_runs,
            ("GET", "training_runs/{run_id}"): self._training_run,
            ("GET", "training_runs/{run_id}/checkpoints"): self._run_checkpoints,
            ("GET", "checkpoints"): self._all_checkpoints,
            ("POST", "weights_info"): self._weights_info,
            ("DELETE", one): self._delete,
            ("PUT", f"{one}/ttl"): self._set_ttl,
            ("POST", f"{one}/publish"): self._publish,
            ("DELETE", f"{one}/publish"): self._unpublish,
            ("GET", f"{one}/external_weights_urls"): self._urls,
            ("GET", FILES + "{run_id}/{name}/{file}"): self._file,
            **{endpoint: _refusal(message) for endpoint, message in REFUSED.items()},
        }
        return [
            Route(f"{self._prefix}/{path}", handler, methods=[method]) for (method, path), handler in handlers.items()
        ]

    # Training runs

    async def _training_runs(self, request: Request) -> Response:
        if "project_id" in request.query_params:
            raise HTTPException(400, f"{_NO_PROJECTS}: leave project_id out")
        runs, cursor = page(request, self._store.runs())
        return JSONResponse({"training_runs": [self._run_json(run) for run in runs], "cursor": cursor})

    async def _training_run(self, request: Request) -> Response:
        return JSONResponse(self._run_json(_found(self._store.run, request.path_params["run_id"])))

    def _run_json(self, run: RunInfo) -> dict[str, Any]:
        newest: dict[str, Any] = {}
        checkpoints = self._store.checkpoints(run.run_id)
        for checkpoint in reversed(checkpoints):
            newest[checkpoint.kind] = _checkpoint_json(checkpoint)
        return {
            "training_run_id": run.run_id,
            "base_model": run.base_model,
            "model_owner": "local",
            "is_lora": True,
            "corrupted": False,
            "lora_rank": run.lora.rank,
            "last_request_time": checkpoints[0].time if checkpoints else run.created,
            "last_checkpoint": newest.get(TRAINING),
            "last_sampler_checkpoint": newest.get(SAMPLER),
            "user_metadata": run.user_metadata,
        }

    # Checkpoints

    async def _run_checkpoints(self, request: Request) -> Response:
        found = _found(self._store.checkpoints, request.path_params["run_id"])
        return JSONResponse({"checkpoints": [_checkpoint_json(checkpoint) for checkpoint in found], "cursor": None})

    async def _all_checkpoints(self, request: Request) -> Response:
        found, cursor = page(request, self._store.checkpoints())
        return JSONResponse({"checkpoints": [_checkpoint_json(checkpoint) for checkpoint in found], "cursor": cursor})

    async def _weights_info(self, request: Request) -> Response:
        path = protocol.parse(await bodies.read_json(request), protocol.TinkerPath).tinker_path
        run = _found(self._store.run, _found(self._store.find, path).run_id)
        return JSONResponse(
            {
                "base_model": run.base_model,
                "is_lora": True,
                "lora_rank": run.lora.rank,
                "train_mlp": run.lora.train_mlp,
                "train_attn": run.lora.train_attn,
                "train_unembed": run.lora.train_unembed,
                "optimizer_config": {"type": "adamw"},
            }
        )

    async def _delete(self, request: Request) -> Response:
        _found(self._store.delete, _path(request))
        return JSONResponse({})

    async def _set_ttl(self, request: Request) -> Response:
        seconds = protocol.parse(await bodies.read_json(request), protocol.SetTtl).ttl_seconds
        expires = None if seconds is None else (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        return self._changed(request, expires_at=expires)

    async def _publish(self, request: Request) -> Response:
        return self._changed(request, public=True)

    async def _unpublish(self, request: Request) -> Response:
        return self._changed(request, public=False)

    def _changed(self, request: Request, **fields: Any) -> Response:
        _found(lambda path: self._store.change(path, **fields), _path(request))
        return JSONResponse({})

    # Downloads

    async def _urls(self, request: Request) -> Response:
        checkpoint = _found(self._store.find, _path(request))
        if checkpoint.kind != EXTERNAL:
            raise HTTPException(400, f"{checkpoint.path} cannot be downloaded: save_weights_external makes what can")
        root = f"{str(request.base_url).rstrip('/')}{self._prefix}/{FILES}".rstrip("/")
        files = [name for name in ADAPTER_FILES if (checkpoint.folder / name).is_file()]
        links, expires = self._links.sign(root, [f"{checkpoint.run_id}/{checkpoint.name}/{name}" for name in files])
        return JSONResponse({"urls": dict(zip(files, links, strict=True)), "expires": expires.isoformat()})

    async def _file(self, request: Request) -> Response:
        run_id, name, file = (request.path_params[key] for key in ("run_id", "name", "file"))
        query = request.query_params
        if not self._links.permits(f"{run_id}/{name}/{file}", query.get("expires", ""), query.get("token", "")):
            raise HTTPException(403, "this link is wrong or has ended: get_external_weights_urls() makes new ones")
        checkpoint = _found(self._store.find, f"tinker://{run_id}/{EXTERNAL}/{name}")
        return FileResponse(checkpoint.folder / file, media_type="application/octet-stream")


def _refusal(message: str) -> Callable[[Request], Any]:
    async def refuse(request: Request) -> Response:
        await bodies.read(request)
        raise HTTPException(400, message)

    return refuse


def _path(request: Request) -> str:
    parts = request.path_params
    return f"tinker://{parts['run_id']}/{parts['kind']}/{parts['name']}"


def _checkpoint_json(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "checkpoint_id": f"{checkpoint.kind}/{checkpoint.name}",
        "checkpoint_type": KINDS[checkpoint.kind],
        "tinker_path": checkpoint.path,
        "time": checkpoint.time,
        "size_bytes": checkpoint.size_bytes,
        "public": checkpoint.public,
        "user_metadata": checkpoint.user_metadata,
        "expires_at": checkpoint.expires_at,
    }


def page(request: Request, items: list[Any]) -> tuple[list[Any], dict[str, int]]:
    """The part of a list that ``?limit=&offset=`` asks for, and the cursor that describes it."""
    try:
        limit = int(request.query_params.get("limit", 20))
        offset = int(request.query_params.get("offset", 0))
    except ValueError:
        raise HTTPException(422, "limit and offset must be whole numbers") from None
    limit, offset = max(limit, 0), max(offset, 0)
    return items[offset : offset + limit], {"offset": offset, "limit": limit, "total_count": len(items)}


def _found(call: Callable[[str], Any], argument: str) -> Any:
    """Call the store; what it does not have is a 404."""
    try:
        return call(argument)
    except UserFault as fault:
        raise NotFound(str(fault)) from fault
