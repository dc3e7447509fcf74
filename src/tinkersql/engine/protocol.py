"""Between the wire and tensors: protobuf messages, and the JSON bodies that clients send.

Every number that reaches the model is checked here. A request that does not make sense raises UserFault.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import torch
from google.protobuf.message import DecodeError
from pydantic import BaseModel, Field, ValidationError
from tinker.proto import tinker_public_pb2 as pb
from torch import Tensor

from tinkersql.engine.faults import UserFault
from tinkersql.engine.futures import Reply
from tinkersql.engine.llama import LlamaConfig
from tinkersql.engine.lora import LoraConfig
from tinkersql.engine.sampling import SampleRequest, SamplingParams, StopRule
from tinkersql.engine.training import Datum, PassResult

DEFAULT_MAX_TOKENS = 2048
"""Bound of a sample whose request names none."""

MAX_SAMPLES = 1024
"""Most samples of one request."""

_NUMPY = {pb.DTYPE_FLOAT32: np.float32, pb.DTYPE_INT64: np.int64, pb.DTYPE_INT32: np.int32}

_Body = TypeVar("_Body", bound=BaseModel)
Count = Annotated[int, Field(ge=0, lt=2**63)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class Sequenced(BaseModel):
    """The part that every numbered training request shares."""

    model_id: str
    seq_id: Annotated[int, Field(ge=1, lt=2**63)]


class Session(BaseModel):
    """A body that names a session."""

    session_id: str


class Lora(BaseModel):
    """``lora_config`` of `CreateModel`."""

    rank: int = 32
    seed: Seed | None = None
    train_unembed: bool = True
    train_mlp: bool = True
    train_attn: bool = True

    def settings(self, model: LlamaConfig) -> LoraConfig:
        """Checked against the model's size."""
        if not 1 <= self.rank <= model.hidden_size:
            raise UserFault(f"lora_config.rank = {self.rank}: this model takes 1 to {model.hidden_size}")
        if not (self.train_attn or self.train_mlp or self.train_unembed):
            raise UserFault("lora_config trains nothing: set train_attn, train_mlp or train_unembed")
        return LoraConfig(self.rank, self.seed, self.train_attn, self.train_mlp, self.train_unembed)


class OptimizerConfig(BaseModel):
    """Which optimizer a model uses."""

    type: str = "adamw"

    def check(self) -> None:
        """Raise UserFault for any but AdamW."""
        if self.type != "adamw":
            raise UserFault(f"optimizer {self.type!r} is not supported by this server: it has adamw")


class CreateModel(Session):
    """``create_model``."""

    model_seq_id: Count
    base_model: str
    user_metadata: dict[str, Any] | None = None
    lora_config: Lora = Lora()
    optimizer_config: OptimizerConfig = OptimizerConfig()


class LoadWeights(BaseModel):
    """``load_weights``: a new model from a checkpoint, or (with model_id) a checkpoint into an existing model."""

    path: str
    optimizer: bool = False
    model_seq_id: Count = 0
    base_model: str | None = None
    user_metadata: dict[str, Any] | None = None
    optimizer_config: OptimizerConfig | None = None


class Adam(BaseModel):
    """``adam_params``."""

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-12
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0


class OptimStep(BaseModel):
    """``optim_step``."""

    adam_params: Adam | None = None


class SaveWeights(BaseModel):
    """``save_weights``."""

    path: str
    overwrite: bool = False
    ttl_seconds: int | None = Field(default=None, ge=0, lt=2**31)
    user_metadata: dict[str, str] | None = None


class SaveWeightsForSampler(BaseModel):
    """``save_weights_for_sampler``: named (path) or unnamed (sampling_session_seq_id)."""

    path: str | None = None
    sampling_session_seq_id: Count | None = None
    kind: Literal["snapshot", "inflight"] = "snapshot"
    ttl_seconds: int | None = Field(default=None, ge=0, lt=2**31)
    user_metadata: dict[str, str] | None = None


class CreateSamplingSession(Session):
    """``create_sampling_session``."""

    sampling_session_seq_id: Count
    model_path: str | None = None
    base_model: str | None = None


class SampleNumber(BaseModel):
    """The part of ``asample`` that identifies the request."""

    sampling_session_id: str
    seq_id: Count


class FutureId(BaseModel):
    """``retrieve_future`` and ``cancel_future``."""

    request_id: str


class TinkerPath(BaseModel):
    """``weights_info``."""

    tinker_path: str


class _Chunk(BaseModel):
    tokens: list[int]


class _Prompt(BaseModel):
    chunks: list[_Chunk]


class _SamplingParams(BaseModel):
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    seed: Seed | None = None
    stop: str | list[int] | list[str] | None = None
    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    top_k: Annotated[int, Field(ge=-1)] = -1
    top_p: float = Field(default=1.0, gt=0, le=1)


class Sample(BaseModel):
    """``asample``."""

    num_samples: Annotated[int, Field(ge=1, le=MAX_SAMPLES)] = 1
    prompt: _Prompt
    sampling_params: _SamplingParams = _SamplingParams()
    prompt_logprobs: bool = False
    prompt_logprobs_last_n: Annotated[int, Field(ge=1)] | None = None
    topk_prompt_logprobs: int = 0
    topk_sample_logprobs: int = 0
    prompt_alt_tokens_k: int = 0
    target_prompt_logprobs: Any = None

    def request(self, model: LlamaConfig) -> SampleRequest:
        """Checked against the model's vocabulary and context; the caller fills in `adapter` and `deliver`."""
        for name in ("topk_prompt_logprobs", "topk_sample_logprobs", "prompt_alt_tokens_k", "target_prompt_logprobs"):
            if getattr(self, name):
                raise UserFault(f"{name} is not supported by this server")
        prompt = tuple(token for chunk in self.prompt.chunks for token in chunk.tokens)
        if not prompt:
            raise UserFault("the prompt is empty: it needs at least one token")
        if len(prompt) >= model.context_length:
            raise UserFault(f"the prompt has {len(prompt)} tokens, and the context only {model.context_length}")
        _check_tokens(np.asarray(prompt, dtype=object), model.vocab_size, "the prompt")
        params = self.sampling_params
        wanted = DEFAULT_MAX_TOKENS if params.max_tokens is None else params.max_tokens
        scored = self.prompt_logprobs_last_n or len(prompt) if self.prompt_logprobs else 0
        return SampleRequest(
            prompt=prompt,
            params=SamplingParams(
                max_tokens=min(wanted, model.context_length - len(prompt)),
                stop=_stop_rule(params.stop, model),
                temperature=params.temperature,
                top_k=params.top_k,
                top_p=params.top_p,
                seed=params.seed,
            ),
            adapter=None,
            deliver=lambda *_: None,
            num_samples=self.num_samples,
            scored=min(scored, len(prompt)),
        )


def _stop_rule(stop: str | list[int] | list[str] | None, model: LlamaConfig) -> StopRule:
    if stop is None:
        return StopRule(tokens=frozenset(model.end_tokens))
    if isinstance(stop, str):
        stop = [stop]
    strings = tuple(item for item in stop if isinstance(item, str))
    if "" in strings:
        raise UserFault("a stop string is empty: it would stop every text at once")
    return StopRule(tokens=frozenset(item for item in stop if isinstance(item, int)), strings=strings)


def parse(body: Any, kind: type[_Body]) -> _Body:
    """Read a JSON body as that kind of request; unknown fields are ignored."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise UserFault(f"{where}: {first['msg']}") from error


def parse_forward_backward(body: bytes) -> pb.ForwardBackwardRequest:
    """Read a protobuf ``ForwardBackwardRequest``."""
    try:
        return pb.ForwardBackwardRequest.FromString(body)
    except DecodeError as error:
        raise UserFault("the body is not a protobuf ForwardBackwardRequest: SDK 0.25 or newer sends one") from error


def beginning(body: bytes) -> Sequenced | None:
    """Which model and number a damaged ``ForwardBackwardRequest`` begins with, None where that cannot be read."""
    found: dict[str, Any] = {}
    position = 0
    try:
        while len(found) < 2:
            tag, position = _varint(body, position)
            value, position = _varint(body, position)
            if tag == 1 << 3 | 2:  # field 1, a length and that many bytes
                found["model_id"] = body[position : position + value].decode()
                position += value
            elif tag == 2 << 3:  # field 2, a number
                found["seq_id"] = value
            else:
                return None
        return Sequenced.model_validate(found)
    except (IndexError, ValueError):
        return None


def _varint(body: bytes, position: int) -> tuple[int, int]:
    """A number in 7-bit groups, least significant first; and the position behind it. Raises IndexError at the end."""
    value = shift = 0
    while body[position] & 0x80:
        value |= (body[position] & 0x7F) << shift
        position, shift = position + 1, shift + 7
    return value | body[position] << shift, position + 1


def read_data(message: pb.ForwardBackwardRequest, model: LlamaConfig) -> list[Datum]:
    """The training data of a request, every number of it checked."""
    if not message.data:
        raise UserFault("the request holds no data")
    return [_read_datum(datum, f"datum {i}", model) for i, datum in enumerate(message.data)]


def _read_datum(datum: pb.Datum, where: str, model: LlamaConfig) -> Datum:
    chunks = []
    for chunk in datum.model_input:
        if not chunk.HasField("encoded_text"):
            raise UserFault(f"{where}: only text is supported in model_input")
        chunks.append(_packed(chunk.encoded_text.tokens, np.int32, f"{where}: model_input"))
    tokens = np.concatenate(chunks) if chunks else np.empty(0, np.int32)
    length = len(tokens)
    if not 1 <= length <= model.context_length:
        raise UserFault(f"{where}: model_input has {length} tokens, allowed are 1 to {model.context_length}")
    _check_tokens(tokens, model.vocab_size, f"{where}: model_input")
    inputs = {name: _read_tensor(tensor, f"{where}: {name}") for name, tensor in datum.loss_fn_inputs.items()}
    if "target_tokens" not in inputs:
        raise UserFault(f"{where}: loss_fn_inputs lacks target_tokens")
    for name, values in inputs.items():
        if values.shape != (length,):
            shape = list(values.shape)
            raise UserFault(f"{where}: {name} has shape {shape}, and model_input has {length} tokens: they must agree")
    targets = inputs["target_tokens"]
    if targets.dtype.kind != "i":
        raise UserFault(f"{where}: target_tokens must be integers")
    _check_tokens(targets, model.vocab_size, f"{where}: target_tokens")
    weights = inputs.get("weights", np.ones(length, np.float32)).astype(np.float32)
    if not np.isfinite(weights).all():
        raise UserFault(f"{where}: weights hold a value that is not finite")
    return Datum(_tensor(tokens), _tensor(targets), torch.from_numpy(weights))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.int64))


def _packed(data: bytes, dtype: type[np.generic], where: str) -> np.ndarray:
    if len(data) % np.dtype(dtype).itemsize:
        raise UserFault(f"{where}: {len(data)} bytes are no whole number of {np.dtype(dtype).name}")
    return np.frombuffer(data, dtype)


def _read_tensor(tensor: pb.Tensor, where: str) -> np.ndarray:
    if not tensor.HasField("dense") or tensor.dtype not in _NUMPY:
        raise UserFault(f"{where}: only dense float32, int32 and int64 tensors are supported")
    values = _packed(tensor.dense, _NUMPY[tensor.dtype], where)
    shape = tuple(tensor.shape) or values.shape
    if min(shape) < 0 or int(np.prod(shape, dtype=object)) != values.size:
        raise UserFault(f"{where}: {values.size} values do not fill the shape {list(shape)}")
    return values.reshape(shape)


def _check_tokens(tokens: np.ndarray, vocab_size: int, where: str) -> None:
    outside = (tokens < 0) | (tokens >= vocab_size)
    if outside.any():
        at = int(np.argmax(outside))
        raise UserFault(
            f"{where}: token {tokens[at]} at position {at} is outside the vocabulary of {vocab_size}: "
            "use the tokenizer of this model (TrainingClient.get_tokenizer())"
        )


def pass_reply(result: PassResult) -> Reply:
    """A ``ForwardBackwardOutput``: one record with the log-probabilities of all data, and the metric ``loss:sum``."""
    message = pb.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord", metrics={"loss:sum": result.loss})
    record = message.loss_fn_outputs.add(type_tag="ArrayRecord", num_datums=len(result.logprobs))
    values = [logprobs.numpy().astype(np.float32) for logprobs in result.logprobs]
    field = record.fields["logprobs"]
    field.data = b"".join(value.tobytes() for value in values)
    field.offsets = np.cumsum([0] + [value.nbytes for value in values], dtype=np.int64).tobytes()
    field.dtype = pb.DTYPE_FLOAT32
    return Reply.protobuf(message.SerializeToString())


def sample_reply(request: SampleRequest) -> Reply:
    """A ``SampleResponse``."""
    message = pb.SampleResponse()
    for sequence in request.sequences:
        message.sequences.add(
            stop_reason=pb.STOP_REASON_STOP if sequence.stopped else pb.STOP_REASON_LENGTH,
            tokens=_bytes(sequence.tokens, np.int32),
            logprobs=_bytes(sequence.logprobs, np.float32),
        )
    if request.prompt_logprobs is not None:
        message.prompt_logprobs = request.prompt_logprobs.numpy().astype(np.float32).tobytes()
    return Reply.protobuf(message.SerializeToString())


def _bytes(values: Iterable[float], dtype: type[np.generic]) -> bytes:
    return np.asarray(list(values), dtype=dtype).tobytes()
