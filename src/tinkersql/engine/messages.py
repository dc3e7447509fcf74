"""Between protobuf messages and tensors. Every number that reaches the model is checked; nonsense raises UserFault."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from google.protobuf.message import DecodeError
from numpy.typing import ArrayLike
from tinker.proto import tinker_public_pb2 as pb

from tinkersql.engine.faults import UserFault
from tinkersql.engine.futures import Reply
from tinkersql.engine.llama import LlamaConfig
from tinkersql.engine.losses import Loss, find_loss
from tinkersql.engine.protocol import Sequenced, check_tokens, sparse_to_dense
from tinkersql.engine.sampling import SampleRequest
from tinkersql.engine.training import Datum, PassResult

MAX_ELEMENTS = 1 << 24
"""Most elements of all tensors in a request: a few bytes of a sparse one can stand for any number."""

MAX_WIDTH = 1024
"""Most targets of one position."""

_NUMPY = {pb.DTYPE_FLOAT32: np.float32, pb.DTYPE_INT64: np.int64, pb.DTYPE_INT32: np.int32}


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


def read_loss(message: pb.ForwardBackwardRequest) -> Loss:
    """The loss of a request, with its options."""
    options: dict[str, float | str] = dict(message.loss_fn_config)
    for name, value in message.loss_fn_config_v2.items():
        options[name] = value.text if value.HasField("text") else value.number
    return find_loss(message.loss_fn, options)


def read_data(message: pb.ForwardBackwardRequest, model: LlamaConfig, loss: Loss) -> list[Datum]:
    """The training data of a request, every number of it checked."""
    if not message.data:
        raise UserFault("the request holds no data")
    tensors = [tensor for datum in message.data for tensor in datum.loss_fn_inputs.values()]
    if sum(abs(int(np.prod(tensor.shape, dtype=object))) for tensor in tensors) > MAX_ELEMENTS:
        raise UserFault(f"the tensors of loss_fn_inputs have more than {MAX_ELEMENTS} elements: send less data at once")
    return [_read_datum(datum, f"datum {i}", model, loss) for i, datum in enumerate(message.data)]


def _read_datum(datum: pb.Datum, where: str, model: LlamaConfig, loss: Loss) -> Datum:
    chunks = []
    for chunk in datum.model_input:
        if not chunk.HasField("encoded_text"):
            raise UserFault(f"{where}: only text is supported in model_input")
        chunks.append(_packed(chunk.encoded_text.tokens, np.int32, f"{where}: model_input"))
    tokens = np.concatenate(chunks) if chunks else np.empty(0, np.int32)
    length = len(tokens)
    if not 1 <= length <= model.context_length:
        raise UserFault(f"{where}: model_input has {length} tokens, allowed are 1 to {model.context_length}")
    check_tokens(tokens, model.vocab_size, f"{where}: model_input")
    unknown = set(datum.loss_fn_inputs) - {"target_tokens", *loss.inputs}
    if unknown:
        expected = ", ".join(("target_tokens", *loss.inputs))
        raise UserFault(
            f"{where}: loss_fn_inputs has {min(unknown)}, which the loss does not take: it takes {expected}"
        )
    if "target_tokens" not in datum.loss_fn_inputs:
        raise UserFault(f"{where}: loss_fn_inputs lacks target_tokens")
    targets = _read_tensor(datum.loss_fn_inputs["target_tokens"], f"{where}: target_tokens")
    if targets.dtype.kind != "i":
        raise UserFault(f"{where}: target_tokens must be integers")
    width = targets[0].size if targets.size else 0
    if len(targets) != length or targets.ndim > 1 + loss.soft_targets or not 1 <= width <= MAX_WIDTH:
        shapes = f"[{length}]" + (f" or [{length}, K], K at most {MAX_WIDTH}" if loss.soft_targets else "")
        raise UserFault(
            f"{where}: target_tokens has shape {list(targets.shape)}, and model_input has {length} tokens: "
            f"they must agree, as in {shapes}"
        )
    check_tokens(targets.reshape(-1), model.vocab_size, f"{where}: target_tokens")
    inputs = {name: _read_input(datum, name, targets.shape, where) for name in loss.inputs}
    return Datum(
        torch.from_numpy(tokens.astype(np.int64)),
        torch.from_numpy(targets.astype(np.int64)),
        {name: torch.from_numpy(values) for name, values in inputs.items()},
    )


def _read_input(datum: pb.Datum, name: str, shape: tuple[int, ...], where: str) -> np.ndarray:
    """A loss's per-position input; ``weights`` that are missing are ones."""
    if name not in datum.loss_fn_inputs:
        if name == "weights":
            return np.ones(shape, np.float32)
        raise UserFault(f"{where}: loss_fn_inputs lacks {name}")
    values = _read_tensor(datum.loss_fn_inputs[name], f"{where}: {name}")
    if values.shape != shape:
        raise UserFault(
            f"{where}: {name} has shape {list(values.shape)}, and target_tokens {list(shape)}: they must agree"
        )
    values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise UserFault(f"{where}: {name} hold a value that is not finite")
    return values


def _packed(data: bytes, dtype: type[np.generic], where: str) -> np.ndarray:
    if len(data) % np.dtype(dtype).itemsize:
        raise UserFault(f"{where}: {len(data)} bytes are no whole number of {np.dtype(dtype).name}")
    return np.frombuffer(data, dtype)


def _read_tensor(tensor: pb.Tensor, where: str) -> np.ndarray:
    if tensor.dtype not in _NUMPY:
        raise UserFault(f"{where}: only float32, int32 and int64 tensors are supported")
    if tensor.HasField("sparse_csr"):
        return _read_sparse(tensor, where)
    values = _packed(tensor.dense, _NUMPY[tensor.dtype], where)
    shape = tuple(tensor.shape) or values.shape
    if min(shape) < 0 or int(np.prod(shape, dtype=object)) != values.size:
        raise UserFault(f"{where}: {values.size} values do not fill the shape {list(shape)}")
    return values.reshape(shape)


def _read_sparse(tensor: pb.Tensor, where: str) -> np.ndarray:
    """A matrix in compressed sparse rows, which the SDK makes of two-dimensional tensors with many zeros."""
    csr, shape = tensor.sparse_csr, tuple(tensor.shape)
    values = _packed(csr.values, _NUMPY[tensor.dtype], where)
    starts = _packed(csr.crow_indices, np.int64, where)
    columns = _packed(csr.col_indices, np.int64, where)
    if len(shape) != 2 or min(shape) < 0 or shape[0] * shape[1] > MAX_ELEMENTS:
        raise UserFault(f"{where}: a sparse tensor cannot have the shape {list(shape)}")
    return sparse_to_dense(values, starts, columns, (shape[0], shape[1]), where)


def pass_reply(result: PassResult) -> Reply:
    """A ``ForwardBackwardOutput``: the log-probabilities of all data, and the metric ``loss:sum``.

    Data whose targets have the same number of columns share a record.
    """
    message = pb.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord", metrics={"loss:sum": result.loss})
    for trailing, group in itertools.groupby(result.logprobs, lambda logprobs: logprobs.shape[1:]):
        values = [logprobs.numpy().astype(np.float32) for logprobs in group]
        record = message.loss_fn_outputs.add(type_tag="ArrayRecord", num_datums=len(values))
        field = record.fields["logprobs"]
        field.data = b"".join(value.tobytes() for value in values)
        field.offsets = np.cumsum([0] + [value.nbytes for value in values], dtype=np.int64).tobytes()
        field.dtype = pb.DTYPE_FLOAT32
        field.trailing_shape.extend(trailing)
    return Reply.protobuf(message.SerializeToString())


def sample_reply(request: SampleRequest) -> Reply:
    """A ``SampleResponse``."""
    message = pb.SampleResponse()
    for sequence in request.sequences:
        added = message.sequences.add(
            stop_reason=pb.STOP_REASON_STOP if sequence.stopped else pb.STOP_REASON_LENGTH,
            tokens=_bytes(sequence.tokens, np.int32),
            logprobs=_bytes(sequence.logprobs, np.float32),
        )
        if sequence.top:
            ids, logprobs = zip(*sequence.top, strict=True)
            _fill_top(added.topk_sampled_logprobs, np.asarray(ids), np.asarray(logprobs))
    if (scores := request.scores) is not None:
        if scores.logprobs is not None:
            message.prompt_logprobs = _bytes(scores.logprobs, np.float32)
        if scores.top_tokens is not None and scores.top_logprobs is not None:
            _fill_top(message.topk_prompt_logprobs, scores.top_tokens.numpy(), scores.top_logprobs.numpy())
        if scores.targets is not None:
            _fill_tensor(message.target_prompt_logprobs, scores.targets.numpy(), pb.DTYPE_FLOAT32)
        if scores.alternatives is not None and scores.alternative_logprobs is not None:
            _fill_tensor(message.prompt_alt_tokens.tokens, scores.alternatives.numpy(), pb.DTYPE_INT64)
            _fill_tensor(message.prompt_alt_tokens.logprobs, scores.alternative_logprobs.numpy(), pb.DTYPE_FLOAT32)
    return Reply.protobuf(message.SerializeToString())


def _fill_top(message: pb.TopkLogprobs, ids: np.ndarray, logprobs: np.ndarray) -> None:
    message.length, message.k = ids.shape
    message.token_ids, message.logprobs = _bytes(ids, np.int32), _bytes(logprobs, np.float32)


def _fill_tensor(message: pb.Tensor, values: np.ndarray, dtype: pb.DType.ValueType) -> None:
    message.dense, message.dtype = _bytes(values, _NUMPY[dtype]), dtype
    message.shape.extend(values.shape)


def _bytes(values: ArrayLike, dtype: type[np.generic]) -> bytes:
    return np.ascontiguousarray(values, dtype=dtype).tobytes()
