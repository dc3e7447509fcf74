"""The HTTP face of the engine: one handler per endpoint of the Tinker protocol (SDK 0.38)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tinkersql.engine import bodies, messages, protocol
from tinkersql.engine.dispatch import TRAIN
from tinkersql.engine.faults import Busy, NotFound, UserFault
from tinkersql.engine.futures import Reply
from tinkersql.engine.service import GO_ON, Service
from tinkersql.engine.store import KINDS, SAMPLER, TRAINING, Checkpoint, RunInfo

PREFIX = "/api/v1"


class Api:
    """Translates HTTP to calls of `Service`. Nothing here waits, except for polls."""

    def __init__(self, service: Service, *, poll_seconds: float = 30.0, max_chunk_len: int = 1024) -> None:
        """poll_seconds: how long a poll for an unfinished result is held. max_chunk_len: data a training request."""
        self._service = service
        self._poll_seconds = poll_seconds
        self._max_chunk_len = max_chunk_len

    def app(self, key: str) -> ASGIApp:
        """The ASGI application; `key` is required on every endpoint."""
        posts = {
            "client/config": self._client_config,
            "client/dynamic_config": self._dynamic_config,
            "create_session": self._create_session,
            "session_heartbeat": self._session_heartbeat,
            "sessions/{session_id}/finish": self._finish_session,
            "telemetry": self._telemetry,
            "create_model": self._create_model,
            "get_info": self._get_info,
            "load_weights": self._load_weights,
            "forward_backward": self._forward_backward,
            "optim_step": self._optim_step,
            "save_weights": self._save_weights,
            "save_weights_for_sampler": self._save_weights_for_sampler,
            "save_weights_external": self._save_weights_external,
            "create_sampling_session": self._create_sampling_session,
            "asample": self._asample,
            "retrieve_future": self._retrieve_future,
            "cancel_future": self._cancel_future,
            "weights_info": self._weights_info,
        }
        gets = {
            "healthz": self._healthz,
            "get_server_capabilities": self._capabilities,
            "sessions": self._sessions,
            "sessions/{session_id}": self._get_session,
            "samplers/{sampler_id}": self._get_sampler,
            "training_runs": self._training_runs,
            "training_runs/{run_id}": self._training_run,
            "training_runs/{run_id}/checkpoints": self._run_checkpoints,
            "checkpoints": self._all_checkpoints,
        }
        routes = [Route(f"{PREFIX}/{path}", handler, methods=["POST"]) for path, handler in posts.items()]
        routes += [Route(f"{PREFIX}/{path}", handler, methods=["GET"]) for path, handler in gets.items()]
        delete = "training_runs/{run_id}/checkpoints/{kind}/{name}"
        routes.append(Route(f"{PREFIX}/{delete}", self._delete_checkpoint, methods=["DELETE"]))
        handlers: dict[Any, Any] = {HTTPException: _http_error, UserFault: _user_fault}
        return _KeyRequired(Starlette(routes=routes, exception_handlers=handlers), key)

    # Service

    async def _healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _client_config(self, request: Request) -> Response:
        await bodies.read(request)
        return JSONResponse({"fwdbwd_max_chunk_len": self._max_chunk_len, "sample_max_concurrent_requests": 512})

    async def _dynamic_config(self, request: Request) -> Response:
        await bodies.read(request)
        return JSONResponse({"sample_cancel_enabled": True})

    async def _telemetry(self, request: Request) -> Response:
        await bodies.read(request)  # may hold tracebacks and headers: read, and forgotten
        return JSONResponse({"status": "accepted"})

    async def _capabilities(self, _: Request) -> Response:
        length = self._service.config.context_length
        models = [
            {"model_name": name, "max_context_length": length, "trainable": True, "sampleable": True}
            for name in self._service.names
        ]
        return JSONResponse({"supported_models": models})

    async def _create_session(self, request: Request) -> Response:
        await bodies.read_json(request)
        return JSONResponse({"type": "create_session", "session_id": self._service.sessions.create().session_id})

    async def _session_heartbeat(self, request: Request) -> Response:
        body = protocol.parse(await bodies.read_json(request), protocol.Session)
        try:
            self._service.sessions.get(body.session_id)
        except NotFound as error:
            raise HTTPException(410, str(error)) from error  # 410 ends the client's heartbeat
        return JSONResponse({"type": "session_heartbeat"})

    async def _finish_session(self, request: Request) -> Response:
        await bodies.read(request)
        self._service.end_session(request.path_params["session_id"])
        return JSONResponse({})

    async def _sessions(self, request: Request) -> Response:
        return JSONResponse(
            {"sessions": _page(request, [session.session_id for session in self._service.sessions.live()])[0]}
        )

    async def _get_session(self, request: Request) -> Response:
        session = self._service.sessions.get(request.path_params["session_id"])
        return JSONResponse({"training_run_ids": session.models, "sampler_ids": session.samplers})

    # Models

    async def _create_model(self, request: Request) -> Response:
        return JSONResponse(
            self._service.create_model(protocol.parse(await bodies.read_json(request), protocol.CreateModel))
        )

    async def _load_weights(self, request: Request) -> Response:
        body = await bodies.read_json(request)
        if isinstance(body, dict) and body.get("model_id") is not None:
            return JSONResponse(self._service.load_weights(protocol.parse(body, protocol.Sequenced), body))
        session = protocol.parse(body, protocol.Session)
        parsed = protocol.parse(body, protocol.LoadWeights)
        return JSONResponse(self._service.create_from_checkpoint(session.session_id, parsed))

    async def _get_info(self, request: Request) -> Response:
        body = await bodies.read_json(request)
        info = self._service.model_info(str(body.get("model_id") if isinstance(body, dict) else body))
        model_data = {"arch": "llama", "model_name": info.base_model, "tokenizer_id": str(self._service.folder)}
        return JSONResponse(
            {
                "type": "get_info",
                "model_id": info.run_id,
                "is_lora": True,
                "lora_rank": info.lora.rank,
                "model_name": info.base_model,
                "optimizer_config": {"type": "adamw"},
                "model_data": model_data,
            }
        )

    # Training

    async def _forward_backward(self, request: Request) -> Response:
        body = bytearray()
        try:
            message = messages.parse_forward_backward(await bodies.read(request, body))
        except (HTTPException, UserFault) as refused:
            numbered = messages.beginning(bytes(body[:1024]))
            if numbered is None:
                raise
            reason = refused.detail if isinstance(refused, HTTPException) else str(refused)
            return JSONResponse(self._service.refuse(numbered, reason))
        protocol.parse({"model_id": message.model_id, "seq_id": message.seq_id}, protocol.Sequenced)
        return JSONResponse(self._service.forward_backward(message))

    async def _optim_step(self, request: Request) -> Response:
        return await self._numbered(request, self._service.optim_step)

    async def _save_weights(self, request: Request) -> Response:
        return await self._numbered(request, self._service.save_weights)

    async def _save_weights_for_sampler(self, request: Request) -> Response:
        return await self._numbered(request, self._service.save_weights_for_sampler)

    async def _save_weights_external(self, request: Request) -> Response:
        return await self._numbered(
            request,
            lambda numbered, _: self._service.refuse(numbered, "save_weights_external is not supported by this server"),
        )

    async def _numbered(self, request: Request, call: Callable[[protocol.Sequenced, Any], dict[str, Any]]) -> Response:
        body = await bodies.read_json(request)
        return JSONResponse(call(protocol.parse(body, protocol.Sequenced), body))

    # Sampling

    async def _create_sampling_session(self, request: Request) -> Response:
        parsed = protocol.parse(await bodies.read_json(request), protocol.CreateSamplingSession)
        session = self._service.sessions.get(parsed.session_id)
        sampler_id = self._service.samplers.create(session, parsed)
        return JSONResponse({"type": "create_sampling_session", "sampling_session_id": sampler_id})

    async def _get_sampler(self, request: Request) -> Response:
        sampler_id = request.path_params["sampler_id"]
        sampler = self._service.samplers.get(sampler_id)
        # The folder instead of the name: clients get the tokenizer from it, and the folder needs no hub.
        base = str(self._service.folder)
        return JSONResponse({"sampler_id": sampler_id, "base_model": base, "model_path": sampler.model_path})

    async def _asample(self, request: Request) -> Response:
        body = await bodies.read_json(request)
        numbered = protocol.parse(body, protocol.SampleNumber)
        return JSONResponse(self._service.samplers.sample(numbered.sampling_session_id, numbered.seq_id, body))

    # Futures

    async def _retrieve_future(self, request: Request) -> Response:
        request_id = protocol.parse(await bodies.read_json(request), protocol.FutureId).request_id
        try:
            reply = await self._service.futures.wait(request_id, self._poll_seconds)
        except KeyError:
            gone = "this result is gone: the session has ended, or the server restarted"
            if not request_id.startswith(f"{TRAIN}-"):
                raise HTTPException(410, gone) from None  # 410 makes the client send a sample again
            reply = Reply.failure(f"{gone}: {GO_ON}", "server")
        if reply is None:
            again = {"type": "try_again", "request_id": request_id, "queue_state": "active"}
            return JSONResponse(again, status_code=408)
        return Response(reply.body, media_type=reply.media_type)

    async def _cancel_future(self, request: Request) -> Response:
        self._service.samplers.cancel(protocol.parse(await bodies.read_json(request), protocol.FutureId).request_id)
        return JSONResponse({})

    # Checkpoints

    async def _weights_info(self, request: Request) -> Response:
        path = protocol.parse(await bodies.read_json(request), protocol.TinkerPath).tinker_path
        run = _found(self._service.store.run, _found(self._service.store.find, path).run_id)
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

    async def _training_runs(self, request: Request) -> Response:
        runs, cursor = _page(request, self._service.store.runs())
        return JSONResponse({"training_runs": [self._run_json(run) for run in runs], "cursor": cursor})

    async def _training_run(self, request: Request) -> Response:
        return JSONResponse(self._run_json(_found(self._service.store.run, request.path_params["run_id"])))

    async def _run_checkpoints(self, request: Request) -> Response:
        found = _found(self._service.store.checkpoints, request.path_params["run_id"])
        return JSONResponse({"checkpoints": [_checkpoint_json(checkpoint) for checkpoint in found], "cursor": None})

    async def _all_checkpoints(self, request: Request) -> Response:
        found, cursor = _page(request, self._service.store.checkpoints())
        return JSONResponse({"checkpoints": [_checkpoint_json(checkpoint) for checkpoint in found], "cursor": cursor})

    async def _delete_checkpoint(self, request: Request) -> Response:
        parts = request.path_params
        _found(self._service.store.delete, f"tinker://{parts['run_id']}/{parts['kind']}/{parts['name']}")
        return JSONResponse({})

    def _run_json(self, run: RunInfo) -> dict[str, Any]:
        newest: dict[str, Any] = {}
        checkpoints = self._service.store.checkpoints(run.run_id)
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


def _checkpoint_json(checkpoint: Checkpoint) -> dict[str, Any]:
    known = asdict(checkpoint)
    return {
        "checkpoint_id": f"{checkpoint.kind}/{checkpoint.name}",
        "checkpoint_type": KINDS[checkpoint.kind],
        "tinker_path": checkpoint.path,
        "public": False,
        **{key: known[key] for key in ("time", "size_bytes", "user_metadata", "expires_at")},
    }


def _page(request: Request, items: list[Any]) -> tuple[list[Any], dict[str, int]]:
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


async def _http_error(_: Request, error: HTTPException) -> Response:
    return JSONResponse({"detail": error.detail}, status_code=error.status_code)


async def _user_fault(_: Request, fault: UserFault) -> Response:
    status = 404 if isinstance(fault, NotFound) else 429 if isinstance(fault, Busy) else 400
    return JSONResponse({"detail": str(fault)}, status_code=status)


class _KeyRequired:
    """Lets a request pass only with the right X-API-Key."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app, self._key = app, _digest(key.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope["headers"]).get(b"x-api-key", b"")
        if hmac.compare_digest(_digest(given), self._key):
            await self._app(scope, receive, send)
        else:
            response = JSONResponse({"detail": "the X-API-Key is missing or wrong"}, status_code=401)
            await response(scope, receive, send)


def _digest(key: bytes) -> bytes:
    """Of equal length for all keys: comparing takes equally long, too."""
    return hashlib.sha256(key).digest()
