"""What each request does: sessions, models in training, and the numbered work on them.

Everything here runs on the event loop's thread, but for the functions named `work` and `build`, which the worker's
thread runs in the order in which they were queued.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tokenizers import Tokenizer

from tinkersql.engine import messages, protocol
from tinkersql.engine.adapters import read_adapter, read_optimizer, write_adapter
from tinkersql.engine.batching import Batcher
from tinkersql.engine.disk import make_folder, sync_folder
from tinkersql.engine.dispatch import TRAIN, Dispatch
from tinkersql.engine.faults import NotFound, UserFault
from tinkersql.engine.futures import InOrder, Reply
from tinkersql.engine.llama import Llama
from tinkersql.engine.lora import LoraConfig
from tinkersql.engine.names import ModelNames
from tinkersql.engine.samplers import AdapterCache, AdapterKey, Sampler, Samplers
from tinkersql.engine.sessions import Session, Sessions
from tinkersql.engine.store import EXTERNAL, SAMPLER, TRAINING, RunInfo, Store
from tinkersql.engine.training import AdamParams, Trainer
from tinkersql.engine.worker import Worker

CLOSE_SECONDS = 10.0
"""How long `Service.close` waits for the job that is running."""

GO_ON = "go on from a checkpoint with create_training_client_from_state_with_optimizer(path)"


@dataclass(eq=False)
class _Model:
    session: Session
    number: int
    info: RunInfo
    trainer: Trainer | None = None
    """Set by the worker's thread."""
    order: InOrder = field(default_factory=InOrder)
    replies: dict[int, dict[str, Any]] = field(default_factory=dict)
    numbered: bool = False
    """Whether its client has sent numbered requests, so that a fresh model could not take its place."""

    def ready(self) -> Trainer:
        """The trainer; raises UserFault where its creation failed."""
        if self.trainer is None:
            raise UserFault(f"model {self.info.run_id} was not created: see the error of its creation")
        return self.trainer


class Service:
    """One base model, served to any number of sessions."""

    def __init__(
        self, model: Llama, tokenizer: Tokenizer, store: Store, names: ModelNames, *, every_logprob: bool = True
    ) -> None:
        """names: what clients may call the model.

        every_logprob: whether training passes answer log-probabilities also where no loss is (see `Trainer`).
        """
        self._every_logprob = every_logprob
        self.names = names
        self.store = store
        self.config = model.config
        self._model = model
        self.sessions = Sessions(store.root, store.owner, str(names.folder))
        self._models: dict[str, _Model] = {}
        self._dispatch = Dispatch(Worker(Batcher(model, tokenizer, AdapterCache(model, store).load)))
        self.futures = self._dispatch.futures
        self.samplers = Samplers(self._dispatch, store, self.sessions, model.config, names)

    def start(self) -> None:
        """Start working; called on the event loop."""
        self._dispatch.start()

    def close(self) -> None:
        """Stop after the job or the decoding step that is running; sessions stay on disk for the next server."""
        self._dispatch.worker.close()
        self._dispatch.worker.join(CLOSE_SECONDS)
        self.store.close()

    # Sessions

    def end_session(self, session_id: str) -> None:
        """Free what a session holds; its checkpoints stay. An unknown session is already ended."""
        session = self.sessions.end(session_id)
        if session is None:
            return
        for model_id in session.models:
            self._models.pop(model_id, None)
        self.samplers.remove(session)
        for request_id in list(session.futures):
            self.futures.resolve(request_id, Reply.failure("the session has ended", "user"))
            self.futures.drop(request_id)

    def tidy_up(self) -> None:
        """End the sessions whose clients have gone, forget old answers, delete expired checkpoints."""
        for session in self.sessions.idle():
            self.end_session(session.session_id)
        self.futures.forget_old()
        self.store.delete_expired()

    # Models

    def create_model(self, request: protocol.CreateModel) -> dict[str, Any]:
        """Start a fresh LoRA model; the future answers its id."""
        session = self.sessions.get(request.session_id)
        if (reply := session.replies.get(request.model_seq_id)) is not None:
            return reply
        self.names.check(request.base_model)
        request.optimizer_config.check()
        lora = request.lora_config.settings(self.config)

        def build() -> Trainer:
            return Trainer(self._model, lora)

        return self._new_model(
            session,
            request.model_seq_id,
            lora,
            request.user_metadata,
            build,
            {"type": "create_model"},
        )

    def create_from_checkpoint(self, session_id: str, request: protocol.LoadWeights) -> dict[str, Any]:
        """Start a LoRA model from a checkpoint, with or without its optimizer; the future answers its id."""
        session = self.sessions.get(session_id)
        if (reply := session.replies.get(request.model_seq_id)) is not None:
            return reply
        checkpoint = self.store.intact(request.path)
        saved = self.store.run(checkpoint.run_id)
        self.names.check(saved.base_model)
        self.names.check(request.base_model or saved.base_model)
        if request.optimizer_config is not None:
            request.optimizer_config.check()

        def build() -> Trainer:
            trainer = Trainer(self._model, saved.lora, read_adapter(checkpoint.folder, self.config, saved.lora))
            if request.optimizer:
                trainer.resume(read_optimizer(checkpoint.folder, self.config, saved.lora))
            return trainer

        return self._new_model(
            session,
            request.model_seq_id,
            saved.lora,
            request.user_metadata or saved.user_metadata,
            build,
            {"type": "load_weights", "path": request.path},
        )

    def _new_model(
        self,
        session: Session,
        number: int,
        lora: LoraConfig,
        user_metadata: Any,
        build: Callable[[], Trainer],
        answer: dict[str, Any],
    ) -> dict[str, Any]:
        model_id = session.model_id(number)
        if model_id in session.models:
            raise UserFault(self._lost(model_id))  # its client has gone on since: a fresh one would not be the same
        model = _Model(session, number, RunInfo(model_id, self.names.name, lora, _texts(user_metadata)))
        self._models[model_id] = model
        session.models.append(model_id)

        def work() -> Reply:
            model.trainer = build()
            self.store.create_run(model.info)
            return Reply.json({**answer, "model_id": model_id})

        reply = {"request_id": self._dispatch.future(session, TRAIN), "model_id": model_id}
        session.replies[number] = reply
        self._dispatch.queue(session, reply["request_id"], work)
        return reply

    def model(self, model_id: str) -> _Model:
        """The model in training. Raises NotFound."""
        model = self._models.get(model_id)
        if model is None:
            session = self.sessions.get(model_id.partition(":")[0])
            was_here = model_id in session.models or self._was_created(model_id)
            raise NotFound(self._lost(model_id) if was_here else f"there is no model {model_id!r} on this server")
        model.session.seen()
        return model

    def _was_created(self, model_id: str) -> bool:
        with contextlib.suppress(UserFault):
            return bool(self.store.run(model_id))
        return False

    def _lost(self, model_id: str) -> str:
        return f"model {model_id} was lost when the server restarted: {GO_ON}"

    def model_info(self, model_id: str) -> RunInfo:
        """What a live model is. Raises NotFound."""
        return self.model(model_id).info

    # Numbered training requests

    def sequenced(self, model_id: str, number: int, work: Callable[[_Model], Reply]) -> dict[str, Any]:
        """Queue numbered work on a model in the order of the numbers; a repeated number gets the same answer."""
        model = self.model(model_id)
        if (reply := model.replies.get(number)) is not None:
            return reply
        if model.order.is_past(number):
            raise UserFault(f"request {number} of model {model_id} was done, and its answer is no longer kept")
        if not model.numbered:
            model.numbered = True
            self.sessions.record(model.session, f"model-{model.number}", {})
        request_id = self._dispatch.future(model.session, TRAIN, lambda: model.replies.pop(number, None))
        reply = model.replies[number] = {"request_id": request_id, "model_id": model_id}
        for due_id, due in model.order.add(number, (request_id, lambda: work(model))):
            self._dispatch.queue(model.session, due_id, due)
        return reply

    def forward_backward(self, message: Any) -> dict[str, Any]:
        """Queue a ``ForwardBackwardRequest``."""

        def work(model: _Model) -> Reply:
            trainer = model.ready()
            loss = messages.read_loss(message)
            with self.names.explained():
                data = messages.read_data(message, self.config, loss)
            if message.forward_only:
                return messages.pass_reply(trainer.forward(data, loss))
            return messages.pass_reply(trainer.forward_backward(data, loss, everywhere=self._every_logprob))

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
            number = request.sampling_session_seq_id
            folder = session.folder / f"snapshot-{number}"
            trainer = model.ready()
            shutil.rmtree(folder, ignore_errors=True)
            try:
                make_folder(folder)
                write_adapter(folder, trainer, model.info.base_model)
                sync_folder(folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            sampler = Sampler(session, None, AdapterKey(folder, model.info.lora))
            self._dispatch.on_loop(self.samplers.add, number, sampler)
            return Reply.json({**answer, "sampling_session_id": session.sampler_id(number)})

        return self.sequenced(numbered.model_id, numbered.seq_id, work)

    def save_weights_external(self, numbered: protocol.Sequenced, body: Any) -> dict[str, Any]:
        """Queue saving an adapter for download."""

        def work(model: _Model) -> Reply:
            request = protocol.parse(body, protocol.SaveWeightsExternal)
            if request.age_encryption_recipients:
                raise UserFault(
                    "this server encrypts no weights: leave age_encryption_recipients out, and download what you get"
                )
            ttl = request.ttl_seconds
            checkpoint = self.store.save(model.info, EXTERNAL, request.path, model.ready(), ttl_seconds=ttl)
            answer = {"type": "save_weights_external", "path": checkpoint.path, "size_bytes": checkpoint.size_bytes}
            return Reply.json(answer)

        return self.sequenced(numbered.model_id, numbered.seq_id, work)

    def load_weights(self, numbered: protocol.Sequenced, body: Any) -> dict[str, Any]:
        """Queue loading a checkpoint into an existing model (what older SDKs send)."""

        def work(model: _Model) -> Reply:
            request = protocol.parse(body, protocol.LoadWeights)
            checkpoint = self.store.intact(request.path)
            saved, folder, lora = self.store.run(checkpoint.run_id), checkpoint.folder, model.info.lora
            self.names.check(saved.base_model)
            if replace(saved.lora, seed=None) != replace(lora, seed=None):
                raise UserFault(
                    f"{request.path} was saved with other LoRA settings (rank, train_attn, train_mlp, train_unembed) "
                    "than this model has: start one from it with create_training_client_from_state(path)"
                )
            trainer = Trainer(self._model, lora, read_adapter(folder, self.config, lora))
            if request.optimizer:
                trainer.resume(read_optimizer(folder, self.config, lora))
            model.trainer = trainer
            return Reply.json({"type": "load_weights", "path": request.path, "model_id": model.info.run_id})

        return self.sequenced(numbered.model_id, numbered.seq_id, work)

    def refuse(self, numbered: protocol.Sequenced, reason: str) -> dict[str, Any]:
        """Fail a numbered request, and use its number up."""

        def work(_: _Model) -> Reply:
            raise UserFault(reason)

        return self.sequenced(numbered.model_id, numbered.seq_id, work)


def _texts(metadata: Any) -> dict[str, str] | None:
    """User metadata as the protocol hands it out: texts only."""
    return None if metadata is None else {str(key): str(value) for key, value in metadata.items()}
