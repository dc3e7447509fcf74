"""The engine's state and what each request does to it: sessions, models in training, samplers, futures.

Everything here runs on the event loop's thread, but for the functions named `work`, which the worker's thread runs in
the order in which they were queued.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from tinkersql.engine import protocol
from tinkersql.engine.batching import Batcher
from tinkersql.engine.faults import UserFault
from tinkersql.engine.futures import Futures, InOrder, Reply
from tinkersql.engine.llama import NO_ADAPTER, Adapter, Llama
from tinkersql.engine.lora import LoraConfig, LoraLayout
from tinkersql.engine.sampling import SampleRequest
from tinkersql.engine.store import SAMPLER, TRAINING, RunInfo, Store, read_adapter, read_optimizer, write_adapter
from tinkersql.engine.training import AdamParams, Trainer
from tinkersql.engine.worker import Worker

IDLE_SECONDS = 1800.0
"""A session without heartbeat for this long has lost its client: its models are freed, its checkpoints stay."""

MAX_WAITING_SAMPLES = 4096
"""Beyond this many samples in flight clients are asked to come back later."""

ADAPTERS_KEPT = 4
"""Adapters kept in memory for sampling; others are read from disk again when they are needed."""

_log = logging.getLogger(__name__)


class NotFound(UserFault):
    """A request that names a session, model or sampler that this server does not have."""


class Busy(UserFault):
    """Too much is queued: come back later."""


@dataclass
class _Session:
    session_id: str
    last_seen: float
    replies: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    """What was answered to each numbered request, so that a repeated one gets the same answer."""
    models: list[str] = field(default_factory=list)
    samplers: list[str] = field(default_factory=list)
    futures: list[str] = field(default_factory=list)


@dataclass
class _Model:
    session: _Session
    info: RunInfo
    trainer: Trainer | None = None
    """Set by the worker's thread."""
    order: InOrder = field(default_factory=InOrder)
    replies: dict[int, dict[str, Any]] = field(default_factory=dict)

    def ready(self) -> Trainer:
        """The trainer; raises UserFault where its creation failed."""
        if self.trainer is None:
            raise UserFault(f"model {self.info.run_id} was not created: see the error of its creation")
        return self.trainer


@dataclass(frozen=True)
class _AdapterKey:
    """An adapter on disk. time: that of its checkpoint, so that a replaced one is noticed; "" for unnamed ones."""

    folder: Path
    lora: LoraConfig
    time: str = ""


@dataclass
class _Sampler:
    session: _Session
    model_path: str | None
    adapter: _AdapterKey | None
    replies: dict[int, dict[str, Any]] = field(default_factory=dict)


class Service:
    """One base model, served to any number of sessions."""

    def __init__(self, model: Llama, tokenizer: Tokenizer, store: Store, folder: Path, names: list[str]) -> None:
        """folder: the model's; names: the public names it answers to, beside the folder's own path."""
        self.names = names
        self.store = store
        self.futures = Futures()
        self.config = model.config
        self.folder = folder.absolute()
        self._model = model
        self._sessions: dict[str, _Session] = {}
        self._models: dict[str, _Model] = {}
        self._samplers: dict[str, _Sampler] = {}
        self._adapters: OrderedDict[_AdapterKey, Adapter] = OrderedDict()
        self._in_flight: dict[str, SampleRequest] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker = Worker(Batcher(model, tokenizer, self._load_adapter))

    def start(self) -> None:
        """Start working; called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._worker.start()

    def close(self) -> None:
        """Stop the worker after the step it is at, and delete unnamed snapshots."""
        self._worker.close()
        self._worker.join(timeout=60)
        self.store.close()

    # Sessions

    def create_session(self) -> str:
        """A new session's id."""
        session_id = str(uuid.uuid4())
        self._sessions[session_id] = _Session(session_id, time.monotonic())
        return session_id

    def session(self, session_id: str) -> _Session:
        """The session, marked as alive. Raises NotFound."""
        session = self._sessions.get(session_id)
        if session is None:
            raise NotFound(f"there is no session {session_id!r} on this server: it has ended, or the server restarted")
        session.last_seen = time.monotonic()
        return session

    def session_ids(self) -> list[str]:
        """All live sessions."""
        return list(self._sessions)

    def end_session(self, session_id: str) -> None:
        """Free what a session holds in memory; its checkpoints stay. An unknown session is already ended."""
        session = self._sessions.pop(session_id, None)
        if session is None:
            return
        for model_id in session.models:
            self._models.pop(model_id, None)
        for sampler_id in session.samplers:
            self._samplers.pop(sampler_id, None)
        for request_id in session.futures:
            self.cancel(request_id)
            self.futures.resolve(request_id, Reply.failure("the session has ended", "user"))
            self.futures.drop(request_id)
        self.store.drop_sampler_folder(session_id)

    def end_idle_sessions(self) -> None:
        """End every session whose client has not been heard of for `IDLE_SECONDS`."""
        limit = time.monotonic() - IDLE_SECONDS
        for session in list(self._sessions.values()):
            if session.last_seen < limit:
                self.end_session(session.session_id)

    # Models

    def check_base_model(self, name: str) -> None:
        """Raise UserFault where this server serves no model of that name."""
        if name not in (*self.names, str(self.folder)):
            raise UserFault(f"unknown base model {name!r}: this server serves {', '.join(self.names)}")

    def create_model(self, request: protocol.CreateModel) -> dict[str, Any]:
        """Start a fresh LoRA model; the future answers its id."""
        session = self.session(request.session_id)
        if (reply := session.replies.get(("model", request.model_seq_id))) is not None:
            return reply
        self.check_base_model(request.base_model)
        request.optimizer_config.check()
        lora = request.lora_config.settings(self.config)

        def build() -> Trainer:
            return Trainer(self._model, lora)

        return self._new_model(
            session,
            request.model_seq_id,
            request.base_model,
            lora,
            request.user_metadata,
            build,
            {"type": "create_model"},
        )

    def create_from_checkpoint(self, session_id: str, request: protocol.LoadWeights) -> dict[str, Any]:
        """Start a LoRA model from a checkpoint, with or without its optimizer; the future answers its id."""
        session = self.session(session_id)
        if (reply := session.replies.get(("model", request.model_seq_id))) is not None:
            return reply
        checkpoint = self.store.find(request.path)
        saved = self.store.run(checkpoint.run_id)
        self.check_base_model(request.base_model or saved.base_model)
        if request.optimizer_config is not None:
            request.optimizer_config.check()

        def build() -> Trainer:
            trainer = Trainer(self._model, saved.lora, read_adapter(checkpoint.folder, self.config, saved.lora))
            if request.optimizer:
                trainer.optimizer = read_optimizer(checkpoint.folder, self.config, saved.lora)
            return trainer

        return self._new_model(
            session,
            request.model_seq_id,
            request.base_model or saved.base_model,
            saved.lora,
            request.user_metadata or saved.user_metadata,
            build,
            {"type": "load_weights", "path": request.path},
        )

    def _new_model(
        self,
        session: _Session,
        number: int,
        base_model: str,
        lora: LoraConfig,
        user_metadata: Any,
        build: Callable[[], Trainer],
        answer: dict[str, Any],
    ) -> dict[str, Any]:
        model_id = f"{session.session_id}:train:{number}"
        model = _Model(session, RunInfo(model_id, base_model, lora, user_metadata))
        self._models[model_id] = model
        session.models.append(model_id)

        def work() -> Reply:
            model.trainer = build()
            self.store.create_run(model.info)
            return Reply.json({**answer, "model_id": model_id})

        reply = {"request_id": self._future(session), "model_id": model_id}
        session.replies["model", number] = reply
        self._queue(reply["request_id"], work)
        return reply

    def model(self, model_id: str) -> _Model:
        """The model in training. Raises NotFound."""
        model = self._models.get(model_id)
        if model is None:
            raise NotFound(
                f"there is no model {model_id!r} on this server: its session has ended, or the server restarted"
            )
        model.session.last_seen = time.monotonic()
        return model

    def model_info(self, model_id: str) -> RunInfo:
        """What a live model is. Raises NotFound."""
        return self.model(model_id).info

    # Numbered training requests

    def sequenced(self, model_id: str, number: int, work: Callable[[_Model], Reply]) -> dict[str, Any]:
        """Queue numbered work on a model in the order of the numbers; a repeated number gets the same answer."""
        model = self.model(model_id)
        if (reply := model.replies.get(number)) is not None:
            return reply
        reply = {"request_id": self._future(model.session), "model_id": model_id}
        model.replies[number] = reply
        for request_id, due in model.order.add(number, (reply["request_id"], lambda: work(model))):
            self._queue(request_id, due)
        return reply

    def forward_backward(self, message: Any) -> dict[str, Any]:
        """Queue a ``ForwardBackwardRequest``."""

        def work(model: _Model) -> Reply:
            trainer = model.ready()
            run = trainer.forward if message.forward_only else trainer.forward_backward
            return protocol.pass_reply(run(protocol.read_data(message, self.config), message.loss_fn))

        return self.sequenced(message.model_id, message.seq_id, work)

    def optim_step(self, numbered: protocol.Sequenced, body: Any) -> dict[str, Any]:
        """Queue an optimizer step."""

        def work(model: _Model) -> Reply:
            request = protocol.parse(body, protocol.OptimStep)
            if request.adam_params is None:
                raise UserFault("optim_step lacks adam_params: this server has no optimizer but AdamW")
            norm = model.ready().optim_step(AdamParams(**request.adam_params.model_dump()))
            return Reply.json({"metrics": {"grad_norm:mean": norm}})

        return self.sequenced(numbered.model_id, numbered.seq_id, work)

    def save_weights(self, numbered: protocol.Sequenced, body: Any) -> dict[str, Any]:
        """Queue saving a training checkpoint."""

        def work(model: _Model) -> Reply:
            request = protocol.parse(body, protocol.SaveWeights)
            checkpoint = self.store.save(
                model.info,
                TRAINING,
                request.path,
                model.ready(),
                overwrite=request.overwrite,
                ttl_seconds=request.ttl_seconds,
                user_metadata=request.user_metadata,
            )
            return Reply.json({"type": "save_weights", "path": checkpoint.path})

        return self.sequenced(numbered.model_id, numbered.seq_id, work)

    def save_weights_for_sampler(self, numbered: protocol.Sequenced, body: Any) -> dict[str, Any]:
        """Queue saving a sampler checkpoint, or an unnamed snapshot with a sampling session of its own."""
        answer = {"type": "save_weights_for_sampler"}

        def work(model: _Model) -> Reply:
            request = protocol.parse(body, protocol.SaveWeightsForSampler)
            if request.path is not None:
                checkpoint = self.store.save(
                    model.info,
                    SAMPLER,
                    request.path,
                    model.ready(),
                    ttl_seconds=request.ttl_seconds,
                    user_metadata=request.user_metadata,
                )
                return Reply.json({**answer, "path": checkpoint.path})
            if request.sampling_session_seq_id is None:
                raise UserFault("save_weights_for_sampler needs a path or a sampling_session_seq_id")
            session = model.session
            sampler_id = _sampler_id(session, request.sampling_session_seq_id)
            folder = self.store.sampler_folder(session.session_id) / str(request.sampling_session_seq_id)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            write_adapter(folder, model.ready(), model.info.base_model)
            sampler = _Sampler(session, None, _AdapterKey(folder, model.info.lora))
            self._on_loop(self._add_sampler, sampler_id, sampler)
            return Reply.json({**answer, "sampling_session_id": sampler_id})

        return self.sequenced(numbered.model_id, numbered.seq_id, work)

    def load_weights(self, numbered: protocol.Sequenced, body: Any) -> dict[str, Any]:
        """Queue loading a checkpoint into an existing model (what older SDKs send)."""

        def work(model: _Model) -> Reply:
            request = protocol.parse(body, protocol.LoadWeights)
            folder = self.store.find(request.path).folder
            lora = model.info.lora
            trainer = Trainer(self._model, lora, read_adapter(folder, self.config, lora))
            if request.optimizer:
                trainer.optimizer = read_optimizer(folder, self.config, lora)
            model.trainer = trainer
            return Reply.json({"type": "load_weights", "path": request.path, "model_id": model.info.run_id})

        return self.sequenced(numbered.model_id, numbered.seq_id, work)

    def unsupported(self, numbered: protocol.Sequenced, what: str) -> dict[str, Any]:
        """Fail a numbered request, and use its number up."""

        def work(_: _Model) -> Reply:
            raise UserFault(f"{what} is not supported by this server")

        return self.sequenced(numbered.model_id, numbered.seq_id, work)

    # Sampling

    def create_sampling_session(self, request: protocol.CreateSamplingSession) -> str:
        """A sampler of the base model or of a checkpoint; returns its id."""
        session = self.session(request.session_id)
        sampler_id = _sampler_id(session, request.sampling_session_seq_id)
        if sampler_id in self._samplers:
            return sampler_id
        adapter = None
        if request.model_path is not None:
            checkpoint = self.store.find(request.model_path)
            info = self.store.run(checkpoint.run_id)
            self.check_base_model(info.base_model)
            adapter = _AdapterKey(checkpoint.folder, info.lora, checkpoint.time)
        elif request.base_model is not None:
            self.check_base_model(request.base_model)
        else:
            raise UserFault("create_sampling_session needs a model_path or a base_model")
        self._add_sampler(sampler_id, _Sampler(session, request.model_path, adapter))
        return sampler_id

    def _add_sampler(self, sampler_id: str, sampler: _Sampler) -> None:
        self._samplers[sampler_id] = sampler
        sampler.session.samplers.append(sampler_id)

    def sampler(self, sampler_id: str) -> _Sampler:
        """The sampler. Raises NotFound."""
        sampler = self._samplers.get(sampler_id)
        if sampler is None:
            raise NotFound(
                f"there is no sampler {sampler_id!r} on this server: its session has ended, or the server restarted"
            )
        sampler.session.last_seen = time.monotonic()
        return sampler

    def sample(self, sampler_id: str, number: int, body: Any) -> dict[str, Any]:
        """Queue a sampling request; a repeated number gets the same answer."""
        sampler = self.sampler(sampler_id)
        if (reply := sampler.replies.get(number)) is not None:
            return reply
        if len(self._in_flight) >= MAX_WAITING_SAMPLES:
            raise Busy("too many samples are waiting: come back later")
        request_id = self._future(sampler.session)
        count = 1
        try:
            parsed = protocol.parse(body, protocol.Sample)
            count = parsed.num_samples
            request = parsed.request(self.config)
        except UserFault as fault:
            self.futures.resolve(request_id, Reply.failure(str(fault), "user"))
        else:
            request.adapter = sampler.adapter
            request.deliver = lambda finished, error: self._on_loop(self._sampled, request_id, finished, error)
            self._in_flight[request_id] = request
            self._worker.sample(request)
        reply = {"request_id": request_id, "sample_sequence_ids": [f"{request_id}:{i}" for i in range(count)]}
        sampler.replies[number] = reply
        return reply

    def _sampled(self, request_id: str, request: SampleRequest, error: Exception | None) -> None:
        self._in_flight.pop(request_id, None)
        self.futures.resolve(request_id, protocol.sample_reply(request) if error is None else _failure(error))

    def cancel(self, request_id: str) -> None:
        """Give up a sampling request; any other id is left alone."""
        request = self._in_flight.pop(request_id, None)
        if request is not None:
            request.cancelled = True
            self.futures.resolve(request_id, Reply.failure("the request was cancelled", "user"))

    def _load_adapter(self, key: Hashable) -> Adapter:
        """On the worker's thread: the factors of a saved adapter, in the model's dtype."""
        if not isinstance(key, _AdapterKey):
            return NO_ADAPTER
        if key not in self._adapters:
            if key.time and self.store.time_of(key.folder) != key.time:
                raise UserFault("the checkpoint was deleted or replaced after this sampler was created")
            flat = read_adapter(key.folder, self.config, key.lora)
            self._adapters[key] = LoraLayout(self.config, key.lora).adapter(
                flat.to(self._model.device, self._model.dtype)
            )
            if len(self._adapters) > ADAPTERS_KEPT:
                self._adapters.popitem(last=False)
        self._adapters.move_to_end(key)
        return self._adapters[key]

    # Futures

    def _future(self, session: _Session) -> str:
        request_id = self.futures.create()
        session.futures.append(request_id)
        return request_id

    def _queue(self, request_id: str, work: Callable[[], Reply]) -> None:
        def job() -> None:
            try:
                reply = work()
            except Exception as error:
                reply = _failure(error)
            self._on_loop(self.futures.resolve, request_id, reply)

        self._worker.submit(job)

    def _on_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits for an answer any more
            self._loop.call_soon_threadsafe(function, *arguments)


def _sampler_id(session: _Session, number: int) -> str:
    return f"{session.session_id}:sample:{number}"


def _failure(error: Exception) -> Reply:
    """A failed future; what is not the client's fault is logged with its traceback."""
    if isinstance(error, UserFault):
        return Reply.failure(str(error), "user")
    _log.error("a request failed", exc_info=error)
    if isinstance(error, OSError):
        return Reply.failure(f"the server could not use its disk: {error}", "server")
    return Reply.failure(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", "server")
