"""The JSON bodies that clients send, checked. A request that does not make sense raises UserFault."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tinkersql.engine.faults import OutsideVocabulary, UserFault
from tinkersql.engine.llama import LlamaConfig
from tinkersql.engine.lora import LoraConfig
from tinkersql.engine.sampling import SampleRequest, SamplingParams, StopRule
from tinkersql.engine.scoring import PromptScoring

DEFAULT_MAX_TOKENS = 2048
"""Bound of a sample whose request names none."""

MAX_SAMPLES = 1024
"""Most samples of one request."""

MAX_CELLS = 1 << 22
"""Most cells of a table of alternatives to tokens that a request may ask for."""

_Body = TypeVar("_Body", bound=BaseModel)
Count = Annotated[int, Field(ge=0, lt=2**63)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Ttl = Annotated[int, Field(ge=1, lt=2**31)]


class Sequenced(BaseModel):
    """The part that every numbered training request shares."""

    model_id: str
    seq_id: Annotated[int, Field(ge=1, lt=2**63)]


class Session(BaseModel):
    """A body that names a session."""

    session_id: str


class CreateSession(BaseModel):
    """``create_session``: what the client says about itself."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    user_metadata: dict[str, str] | None = None
    display_name: str | None = None


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
    ttl_seconds: Ttl | None = None
    user_metadata: dict[str, str] | None = None


class SaveWeightsForSampler(BaseModel):
    """``save_weights_for_sampler``: named (path) or unnamed (sampling_session_seq_id)."""

    path: str | None = None
    sampling_session_seq_id: Count | None = None
    kind: Literal["snapshot", "inflight"] = "snapshot"
    ttl_seconds: Ttl | None = None
    user_metadata: dict[str, str] | None = None


class SaveWeightsExternal(BaseModel):
    """``save_weights_external``."""

    path: str
    ttl_seconds: Ttl | None = None
    age_encryption_recipients: list[Any] | None = None


class SetTtl(BaseModel):
    """``PUT .../ttl``; None = keep for good."""

    ttl_seconds: Ttl | None = None


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


class _Tensor(BaseModel):
    """A tensor as JSON carries it: dense values, or compressed sparse rows."""

    data: list[int]
    shape: Annotated[list[Count], Field(min_length=2, max_length=2)]
    sparse_crow_indices: list[int] | None = None
    sparse_col_indices: list[int] | None = None


class Sample(BaseModel):
    """``asample``."""

    num_samples: Annotated[int, Field(ge=1, le=MAX_SAMPLES)] = 1
    prompt: _Prompt
    sampling_params: _SamplingParams = _SamplingParams()
    prompt_logprobs: bool = False
    prompt_logprobs_last_n: Annotated[int, Field(ge=1)] | None = None
    topk_prompt_logprobs: Annotated[int, Field(ge=0)] = 0
    topk_sample_logprobs: Annotated[int, Field(ge=0)] = 0
    prompt_alt_tokens_k: Annotated[int, Field(ge=0)] = 0
    target_prompt_logprobs: _Tensor | None = None

    def request(self, model: LlamaConfig) -> SampleRequest:
        """Checked against the model's vocabulary and context; the caller fills in `adapter` and `deliver`."""
        prompt = tuple(token for chunk in self.prompt.chunks for token in chunk.tokens)
        if not prompt:
            raise UserFault("the prompt is empty: it needs at least one token")
        if len(prompt) >= model.context_length:
            raise UserFault(f"the prompt has {len(prompt)} tokens, and the context only {model.context_length}")
        check_tokens(np.asarray(prompt, dtype=object), model.vocab_size, "the prompt")
        params = self.sampling_params
        wanted = DEFAULT_MAX_TOKENS if params.max_tokens is None else params.max_tokens
        max_tokens = min(wanted, model.context_length - len(prompt))
        for name, count, positions in (
            ("topk_prompt_logprobs", self.topk_prompt_logprobs, len(prompt)),
            ("prompt_alt_tokens_k", self.prompt_alt_tokens_k, len(prompt)),
            ("topk_sample_logprobs", self.topk_sample_logprobs, max_tokens * self.num_samples),
        ):
            if count > model.vocab_size or count * positions > MAX_CELLS:
                raise UserFault(f"{name} = {count} at {positions} positions: at most {MAX_CELLS} cells are computed")
        return SampleRequest(
            prompt=prompt,
            params=SamplingParams(
                max_tokens=max_tokens,
                stop=_stop_rule(params.stop, model),
                temperature=params.temperature,
                top_k=params.top_k,
                top_p=params.top_p,
                seed=params.seed,
                top_logprobs=self.topk_sample_logprobs,
            ),
            adapter=None,
            deliver=lambda *_: None,
            num_samples=self.num_samples,
            scoring=self._scoring(len(prompt), model.vocab_size),
        )

    def _scoring(self, length: int, vocab_size: int) -> PromptScoring | None:
        scored = min(self.prompt_logprobs_last_n or length, length) if self.prompt_logprobs else 0
        targets = None
        if (given := self.target_prompt_logprobs) is not None:
            if (
                given.shape[0] != length - 1
                or not 1 <= given.shape[1] <= vocab_size
                or length * given.shape[1] > MAX_CELLS
            ):
                raise UserFault(
                    f"target_prompt_logprobs has the shape {given.shape}: it needs {length - 1} rows, one for "
                    f"each token of the prompt but the first, and at most {MAX_CELLS} cells"
                )
            targets = _dense(given)
            check_tokens(np.maximum(targets, 0).reshape(-1), vocab_size, "target_prompt_logprobs")
        scoring = PromptScoring(
            logprobs=scored,
            top=self.topk_prompt_logprobs,
            targets=None if targets is None else torch.from_numpy(targets),
            alternatives=self.prompt_alt_tokens_k,
        )
        return None if scoring == PromptScoring() else scoring


def _dense(tensor: _Tensor) -> np.ndarray:
    """The tensor's matrix, int64, with -1 where a sparse one names nothing."""
    values = np.asarray(tensor.data, dtype=object)
    if any(not -(2**63) <= value < 2**63 for value in tensor.data):
        raise UserFault("target_prompt_logprobs holds a number that is no token")
    if tensor.sparse_crow_indices is None:
        if values.size != tensor.shape[0] * tensor.shape[1]:
            raise UserFault(f"target_prompt_logprobs: {values.size} values do not fill the shape {tensor.shape}")
        return values.astype(np.int64).reshape(tensor.shape)
    return sparse_to_dense(
        values.astype(np.int64),
        np.asarray(tensor.sparse_crow_indices, dtype=object),
        np.asarray(tensor.sparse_col_indices or [], dtype=object),
        (tensor.shape[0], tensor.shape[1]),
        "target_prompt_logprobs",
        missing=-1,
    )


def sparse_to_dense(
    values: np.ndarray, starts: np.ndarray, columns: np.ndarray, shape: tuple[int, int], where: str, missing: int = 0
) -> np.ndarray:
    """A matrix from compressed sparse rows. Raises UserFault where the indices do not fit the shape."""
    consistent = (
        len(starts) == shape[0] + 1
        and starts[0] == 0
        and starts[-1] == len(values) == len(columns)
        and (np.diff(starts) >= 0).all()
        and ((columns >= 0) & (columns < shape[1])).all()
    )
    if not consistent:
        raise UserFault(f"{where}: the sparse tensor's indices do not fit its shape {list(shape)}")
    dense = np.full(shape, missing, values.dtype)
    rows = np.repeat(np.arange(shape[0]), np.diff(starts).astype(np.int64))
    dense[rows, columns.astype(np.int64)] = values
    return dense


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


def check_tokens(tokens: np.ndarray, vocab_size: int, where: str) -> None:
    """Raise UserFault where a token is none of the model's."""
    outside = (tokens < 0) | (tokens >= vocab_size)
    if outside.any():
        at = int(np.argmax(outside))
        raise OutsideVocabulary(
            f"{where}: token {tokens[at]} at position {at} is outside the vocabulary of {vocab_size}: "
            "use the tokenizer of this model (TrainingClient.get_tokenizer())"
        )
