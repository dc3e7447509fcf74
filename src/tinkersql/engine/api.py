"""The HTTP face of the engine: one handler per endpoint of the Tinker protocol (SDK 0.38)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
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
from tinkersql.engine.rest import FILES, Rest, page
from tinkersql.engine.service import GO_ON, Service
from tinkersql.engine.store import Store

PREFIX = "/api/v1"


class Api:
    """Translates HTTP to calls of `Service`. Nothing here waits, except for polls."""

    def __init__(self, service: Service, *, poll_seconds: float = 30.0, max_chunk_len: int = 1024) -> None:
        """poll_seconds: how long a poll for an unfinished result is held. max_chunk_len: data a training request."""
        self._service = service
        self._poll_seconds = poll_seconds
        self._max_chunk_len = max_chunk_len

    def app(self, key: str) -> ASGIApp:
        """The ASGI application; `key` is required on every endpoint but signed links."""
        posts = {
            "client/config": self._client_config,
            "create_session": self._create_session,
            "session_heartbeat": self._session_heartbeat,
            "sessions/{session_id}/finish": self._finish_session,
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
        }
        gets = {
            "healthz": self._healthz,
            "get_server_capabilities": self._capabilities,
            "sessions": self._sessions,
            "sessions/{session_id}": self._session,
            "samplers/{sampler_id}": self._sampler,
        }
        routes = [_post(path, handler) for path, handler in posts.items()]
        routes += [Route(f"{PREFIX}/{path}", handler, methods=["GET"]) for path, handler in gets.items()]
        return _application([*routes, *_routes_of(self._service.store)], key)

    # Service

    async def _healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _client_config(self, request: Request) -> Response:
        await bodies.read(request)
        return JSONResponse({"fwdbwd_max_chunk_len": self._max_chunk_len, "sample_max_concurrent_requests": 512})

    async def _capabilities(self, _: Request) -> Response:
        length = self._service.config.context_length
        models = [
            {"model_name": name, "max_context_length": length, "trainable": True, "sampleable": True}
            for name in self._service.names.public
        ]
        return JSONResponse({"supported_models": models})

    async def _create_session(self, request: Request) -> Response:
        body = protocol.parse(await bodies.read_json(request), protocol.CreateSession)
        session = self._service.sessions.create(body.user_metadata, body.display_name)
        return JSONResponse({"type": "create_session", "session_id": session.session_id})

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
        live = [session.session_id for session in self._service.sessions.live()]
        return JSONResponse({"sessions": page(request, live)[0]})

    async def _session(self, request: Request) -> Response:
        session = self._service.sessions.find(request.path_params["session_id"])
        return JSONResponse(
            {
                "training_run_ids": session.models,
                "sampler_ids": session.samplers,
                "user_metadata": session.user_metadata,
                "display_name": session.display_name,
            }
        )

    async def _sampler(self, request: Request) -> Response:
        sampler_id = request.path_params["sampler_id"]
        sampler = self._service.samplers.get(sampler_id)
        # The folder instead of the name: clients get the tokenizer from it, and the folder needs no hub.
        base = self._service.names.path
        return JSONResponse({"sampler_id": sampler_id, "base_model": base, "model_path": sampler.model_path})

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
        # The folder instead of the name: samplers of this model get their tokenizer from it, and it needs no hub.
        path = self._service.names.path
        model_data = {"arch": "llama", "model_name": path, "tokenizer_id": path}
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
        return await self._numbered(request, self._service.save_weights_external)

    async def _numbered(self, request: Request, call: Callable[[protocol.Sequenced, Any], dict[str, Any]]) -> Response:
        body = await bodies.read_json(request)
        return JSONResponse(call(protocol.parse(body, protocol.Sequenced), body))

    # Sampling

    async def _create_sampling_session(self, request: Request) -> Response:
        parsed = protocol.parse(await bodies.read_json(request), protocol.CreateSamplingSession)
        session = self._service.sessions.get(parsed.session_id)
        sampler_id = self._service.samplers.create(session, parsed)
        return JSONResponse({"type": "create_sampling_session", "sampling_session_id": sampler_id})

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


def shelf(store: Store, key: str) -> ASGIApp:
    """The ASGI application for those who list, describe and delete checkpoints, and train and sample nothing."""
    return _application([_post("client/config", _defaults), *_routes_of(store)], key)


def _routes_of(store: Store) -> list[Route]:
    """What any client asks for, and the store's training runs and checkpoints."""
    return [
        _post("client/dynamic_config", _dynamic_config),
        _post("telemetry", _telemetry),
        *Rest(store, PREFIX).routes(),
    ]


def _post(path: str, handler: Callable[[Request], Any]) -> Route:
    return Route(f"{PREFIX}/{path}", handler, methods=["POST"])


def _application(routes: list[Route], key: str) -> ASGIApp:
    handlers: dict[Any, Any] = {HTTPException: _http_error, UserFault: _user_fault, OSError: _disk_fault}
    return _KeyRequired(Starlette(routes=routes, exception_handlers=handlers), key)


async def _defaults(request: Request) -> Response:
    await bodies.read(request)
    return JSONResponse({})


async def _dynamic_config(request: Request) -> Response:
    await bodies.read(request)
    return JSONResponse({"sample_cancel_enabled": True})


async def _telemetry(request: Request) -> Response:
    await bodies.read(request)  # may hold tracebacks and headers: read, and forgotten
    return JSONResponse({"status": "accepted"})


async def _http_error(_: Request, error: HTTPException) -> Response:
    return JSONResponse({"detail": error.detail}, status_code=error.status_code)


async def _disk_fault(_: Request, error: OSError) -> Response:
    return JSONResponse({"detail": f"the server could not use its disk: {error}"}, status_code=400)


async def _user_fault(_: Request, fault: UserFault) -> Response:
    status = 404 if isinstance(fault, NotFound) else 429 if isinstance(fault, Busy) else 400
    return JSONResponse({"detail": str(fault)}, status_code=status)


class _KeyRequired:
    """Lets a request pass only with the right X-API-Key. Links to files carry a token instead, which `Rest` checks."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app, self._key = app, _digest(key.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope["headers"]).get(b"x-api-key", b"")
        if hmac.compare_digest(_digest(given), self._key) or scope["path"].startswith(f"{PREFIX}/{FILES}"):
            await self._app(scope, receive, send)
        else:
            response = JSONResponse({"detail": "the X-API-Key is missing or wrong"}, status_code=401)
            await response(scope, receive, send)


def _digest(key: bytes) -> bytes:
    """Of equal length for all keys: comparing takes equally long, too."""
    return hashlib.sha256(key).digest()
