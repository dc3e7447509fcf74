"""A llama.cpp GGUF file as the safetensors folder that ``transformers``, PEFT and the engine read.

Written out here rather than left to ``transformers``' own GGUF reader, because that reader rebuilds the tokenizer
without the splitting of digits (``"  1"`` then has other tokens) and keeps the weights packed.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinkersql.cache import Progress, silent
from tinkersql.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

_OUTER_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_BLOCK_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_LABEL = "convert the model"
_CONTROL_TOKEN = 3  # gguf.TokenType.CONTROL


def convert(file: Path, folder: Path, progress: Progress = silent) -> None:
    """Write the model in the GGUF ``file`` into the existing ``folder``.

    The folder gets ``config.json``, ``generation_config.json``, ``tokenizer.json``, ``tokenizer_config.json`` and
    ``model.safetensors`` with dequantised weights in bfloat16.

    Raises:
        ModelError: the file does not hold a Llama model with SmolLM's tokenizer.
        OSError: the folder cannot be written, or the disk is full.
    """
    from gguf import GGUFReader

    progress(_LABEL, 0, file.stat().st_size)
    reader = GGUFReader(file)
    metadata = {name: field.contents() for name, field in reader.fields.items()}
    kind = [metadata.get(key) for key in ("general.architecture", "tokenizer.ggml.model", "tokenizer.ggml.pre")]
    if kind != ["llama", "gpt2", "smollm"]:
        raise ModelError(f"{file.name} holds {kind}: only a Llama model with SmolLM's tokenizer is converted")

    _write_weights(reader, metadata, folder / "model.safetensors", progress)
    tied = all(tensor.name != "output.weight" for tensor in reader.tensors)
    _write_json(folder / "config.json", _config(metadata) | {"tie_word_embeddings": tied})
    _write_json(folder / "generation_config.json", _token_ids(metadata))
    _tokenizer(metadata).save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(metadata))
    progress(_LABEL, file.stat().st_size, file.stat().st_size)


def _write_weights(reader: Any, metadata: Mapping[str, Any], path: Path, progress: Progress) -> None:
    import torch
    from gguf.quants import dequantize
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    heads = {
        "attn_q": metadata["llama.attention.head_count"],
        "attn_k": metadata["llama.attention.head_count_kv"],
    }
    weights: dict[str, torch.Tensor] = {}
    for tensor in reader.tensors:
        array = dequantize(tensor.data, tensor.tensor_type)
        kind = tensor.name.split(".")[-2]
        if kind in heads:
            array = _halves_from_pairs(array, heads[kind])
        weights[_hub_name(tensor.name)] = torch.tensor(array, dtype=torch.bfloat16)
        progress(_LABEL, int(tensor.data_offset + tensor.n_bytes), len(reader.data))
    try:
        save_file(weights, path, metadata={"format": "pt"})
    except SafetensorError as error:  # its name for a full disk
        raise OSError(str(error)) from error


def _halves_from_pairs(weight: "np.ndarray", heads: int) -> "np.ndarray":
    """Undo llama.cpp's reordering of the query and key rows.

    llama.cpp rotates neighbouring rows of a head (0 with 1), ``transformers`` rows of its two halves (0 with d/2);
    ``LlamaModel.permute`` in llama.cpp's ``convert_hf_to_gguf.py`` went the other way.

    Args:
        weight: (heads * d, inputs)
        heads: Heads of this projection.
    """
    rows, inputs = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, inputs).swapaxes(1, 2).reshape(rows, inputs)


def _hub_name(name: str) -> str:
    """``blk.3.attn_q.weight`` -> ``model.layers.3.self_attn.q_proj.weight``."""
    if block := re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name):
        return f"model.layers.{block[1]}.{_BLOCK_NAMES[block[2]]}.weight"
    return f"{_OUTER_NAMES[name.removesuffix('.weight')]}.weight"


def _token_ids(metadata: Mapping[str, Any]) -> dict[str, int]:
    return {
        "bos_token_id": metadata["tokenizer.ggml.bos_token_id"],
        "eos_token_id": metadata["tokenizer.ggml.eos_token_id"],
        "pad_token_id": metadata["tokenizer.ggml.padding_token_id"],
    }


def _config(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """``LlamaConfig`` in the spelling of the hub's ``config.json``, which every version of ``transformers`` reads."""
    heads = metadata["llama.attention.head_count"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": metadata["llama.embedding_length"],
        "intermediate_size": metadata["llama.feed_forward_length"],
        "num_hidden_layers": metadata["llama.block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": metadata["llama.attention.head_count_kv"],
        "head_dim": metadata["llama.embedding_length"] // heads,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        # GGUF keeps it in float32, where 1e-5 reads 9.999999747e-06.
        "rms_norm_eps": float(f"{metadata['llama.attention.layer_norm_rms_epsilon']:.6g}"),
        "rope_theta": metadata["llama.rope.freq_base"],
        "max_position_embeddings": metadata["llama.context_length"],
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
        "dtype": "bfloat16",
        **_token_ids(metadata),
    }


def _tokenizer(metadata: Mapping[str, Any]) -> "Tokenizer":
    """SmolLM's byte-level BPE: every digit a token of its own, nothing added in front of or behind a text."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    # A space separates the two halves and cannot occur in them, since byte-level BPE writes a space as Ġ.
    merges = [(left, right) for left, right in (merge.split(" ") for merge in metadata["tokenizer.ggml.merges"])]
    tokenizer = Tokenizer(BPE({token: index for index, token in enumerate(tokens)}, merges))
    # The digits come first, as in the original: " 1" is then a space and a digit, and "  1" two spaces in one token.
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    kinds: list[int] = metadata["tokenizer.ggml.token_type"]
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return tokenizer


def _tokenizer_config(metadata: Mapping[str, Any]) -> dict[str, Any]:
    tokens: list[str] = metadata["tokenizer.ggml.tokens"]
    return {
        # The class that takes tokenizer.json as it is; GPT2Tokenizer would build its own pre-tokenizer.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokens[metadata["tokenizer.ggml.bos_token_id"]],
        "eos_token": tokens[metadata["tokenizer.ggml.eos_token_id"]],
        "pad_token": tokens[metadata["tokenizer.ggml.padding_token_id"]],
        "unk_token": tokens[metadata["tokenizer.ggml.unknown_token_id"]],
        "model_max_length": metadata["llama.context_length"],
        "clean_up_tokenization_spaces": False,
        "chat_template": metadata["tokenizer.chat_template"],
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
