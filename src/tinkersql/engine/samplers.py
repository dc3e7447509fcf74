"""Samplers: a frozen adapter, or the base model, that clients sample from."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tinkersql.engine import messages, protocol
from tinkersql.engine.adapters import read_adapter
from tinkersql.engine.dispatch import SAMPLE, Dispatch, failure
from tinkersql.engine.faults import Busy, NotFound, UserFault
from tinkersql.engine.futures import Reply
from tinkersql.engine.llama import NO_ADAPTER, Adapter, Llama, LlamaConfig
from tinkersql.engine.lora import LoraConfig, LoraLayout
from tinkersql.engine.names import ModelNames
from tinkersql.engine.sampling import SampleRequest
from tinkersql.engine.sessions import Session, Sessions
from tinkersql.engine.store import Store

MAX_WAITING_SAMPLES = 4096
"""Beyond this many samples in flight clients are asked to come back later."""

ADAPTERS_KEPT = 4
"""Adapters kept in memory for sampling; others are read from disk again when they are needed."""


@dataclass(frozen=True)
class AdapterKey:
    """An adapter on disk. time: that of its checkpoint, so that a replaced one is noticed; "" for unnamed ones."""

    folder: Path
    lora: LoraConfig
    time: str = ""


@dataclass(eq=False)
class Sampler:
    """What a sampling session samples from; adapter None = the base model."""

    session: Session
    model_path: str | None
    adapter: AdapterKey | None
    replies: dict[int, dict[str, Any]] = field(default_factory=dict)


class AdapterCache:
    """Reads adapters from disk for the batcher, on the worker's thread, and keeps the last few."""

    def __init__(self, model: Llama, store: Store) -> None:
        self._model, self._store = model, store
        self._kept: OrderedDict[AdapterKey, Adapter] = OrderedDict()

    def load(self, key: Hashable) -> Adapter:
        """The factors of a saved adapter, in the model's dtype. Raises UserFault where it is gone or does not fit."""
        if not isinstance(key, AdapterKey):
            return NO_ADAPTER
        if key.time and self._store.time_of(key.folder) != key.time:
            self._kept.pop(key, None)
            raise UserFault("the checkpoint was deleted or replaced after this sampler was created")
        if key not in self._kept:
            if not self._store.is_inside(*key.folder.glob("*")):
                raise UserFault("the sampler's weights do not lie in this server's store")
            flat = read_adapter(key.folder, self._model.config, key.lora)
            layout = LoraLayout(self._model.config, key.lora)
            self._kept[key] = layout.adapter(flat.to(self._model.device, self._model.dtype))
            if len(self._kept) > ADAPTERS_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


class Samplers:
    """All samplers of the server, and the samples in flight; used on the event loop's thread."""

    def __init__(
        self,
        dispatch: Dispatch,
        store: Store,
        sessions: Sessions,
        config: LlamaConfig,
        names: ModelNames,
    ) -> None:
        self._dispatch, self._store, self._sessions, self._config = dispatch, store, sessions, config
        self._names = names
        self._samplers: dict[str, Sampler] = {}
        self._in_flight: dict[str, SampleRequest] = {}
        self._samples_in_flight = 0

    def create(self, session: Session, request: protocol.CreateSamplingSession) -> str:
        """A sampler of the base model or of a checkpoint; returns its id."""
        number = request.sampling_session_seq_id
        sampler_id = session.sampler_id(number)
        if self._find(sampler_id) is not None:
            return sampler_id
        adapter = None
        if request.model_path is not None:
            checkpoint = self._store.intact(request.model_path)
            info = self._store.run(checkpoint.run_id)
            self._names.check(info.base_model)
            adapter = AdapterKey(checkpoint.folder, info.lora, checkpoint.time)
        elif request.base_model is not None:
            self._names.check(request.base_model)
        else:
            raise UserFault("create_sampling_session needs a model_path or a base_model")
        self.add(number, Sampler(session, request.model_path, adapter))
        return sampler_id

    def add(self, number: int, sampler: Sampler) -> None:
        """Make a sampler known by its number in its session, also to the server after a restart."""
        session, adapter = sampler.session, sampler.adapter
        if session.ended:
            return
        content: dict[str, Any] = {"model_path": sampler.model_path, "adapter": None}
        if adapter is not None:
            content["adapter"] = asdict(adapter) | {"folder": str(adapter.folder.relative_to(self._store.root))}
        self._sessions.record(session, f"sampler-{number}", content)
        self._samplers[session.sampler_id(number)] = sampler
        session.samplers.append(session.sampler_id(number))

    def get(self, sampler_id: str) -> Sampler:
        """The sampler; no sign that its client lives. Raises NotFound."""
        sampler = self._find(sampler_id)
        if sampler is None:
            raise NotFound(f"there is no sampler {sampler_id!r} on this server: its session has ended")
        return sampler

    def _find(self, sampler_id: str) -> Sampler | None:
        """The sampler from memory, or from what the server recorded before it restarted."""
        if sampler_id in self._samplers:
            return self._samplers[sampler_id]
        session_id, _, number = sampler_id.partition(":sample:")
        try:
            session = self._sessions.find(session_id)
            if sampler_id not in session.samplers:
                return None
            content = self._sessions.recall(session, f"sampler-{number}")
            adapter = content["adapter"]
            if adapter is not None:
                folder = self._store.root / adapter["folder"]
                adapter = AdapterKey(folder, LoraConfig(**adapter["lora"]), adapter["time"])
        except (NotFound, TypeError, KeyError):
            return None
        self._samplers[sampler_id] = Sampler(session, content["model_path"], adapter)
        return self._samplers[sampler_id]

    def sample(self, sampler_id: str, number: int, body: Any) -> dict[str, Any]:
        """Queue a sampling request; a repeated number gets the same answer."""
        sampler = self.get(sampler_id)
        sampler.session.seen()
        if (reply := sampler.replies.get(number)) is not None:
            return reply
        if self._samples_in_flight >= MAX_WAITING_SAMPLES:
            raise Busy("too many samples are waiting: come back later")
        request_id = self._dispatch.future(sampler.session, SAMPLE, lambda: sampler.replies.pop(number, None))
        count = 1
        try:
            parsed = protocol.parse(body, protocol.Sample)
            count = parsed.num_samples
            with self._names.explained():
                request = parsed.request(self._config)
        except Exception as error:  # also an unforeseen one: its number is used up, and its client waits
            self._dispatch.futures.resolve(request_id, failure(error))
        else:
            request.adapter = sampler.adapter
            request.deliver = lambda finished, error: self._dispatch.on_loop(self._sampled, request_id, finished, error)
            self._in_flight[request_id] = request
            self._samples_in_flight += request.num_samples
            self._dispatch.worker.sample(request)
        reply = {"request_id": request_id, "sample_sequence_ids": [f"{request_id}:{i}" for i in range(count)]}
        sampler.replies[number] = reply
        return reply

    def _sampled(self, request_id: str, request: SampleRequest, error: Exception | None) -> None:
        self._landed(request_id)
        try:
            reply = messages.sample_reply(request) if error is None else failure(error)
        except Exception as unforeseen:  # a future that nobody resolves would be polled for ever
            reply = failure(unforeseen)
        self._dispatch.futures.resolve(request_id, reply)

    def _landed(self, request_id: str) -> SampleRequest | None:
        request = self._in_flight.pop(request_id, None)
        if request is not None:
            self._samples_in_flight -= request.num_samples
        return request

    def cancel(self, request_id: str) -> None:
        """Give up a sampling request; any other id is left alone."""
        request = self._landed(request_id)
        if request is not None:
            request.cancelled = True
            self._dispatch.futures.resolve(request_id, Reply.failure("the request was cancelled", "user"))

    def remove(self, session: Session) -> None:
        """Forget a session's samplers and give up its samples in flight."""
        for sampler_id in session.samplers:
            self._samplers.pop(sampler_id, None)
        for request_id in session.futures:
            self.cancel(request_id)
