"""A Llama model small enough to write in milliseconds, as a folder and as a GGUF file."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# The last two can come about only where digits are not split off first.
MERGES = ["Ġ Ġ", "Ġ t", "h e", "Ġt he", "Ġ 1", "1 2"]
HEADS, KV_HEADS = 4, 2


@pytest.fixture
def llama_folder(tmp_path) -> Path:
    """A folder that has all that is asked of a Llama model; its weights are two numbers."""
    import numpy as np
    from safetensors.numpy import save_file

    folder = tmp_path / "tiny-llama"
    folder.mkdir()
    for name, content in hub_files().items():
        (folder / name).write_bytes(content)
    save_file({"model.norm.weight": np.ones(2, dtype=np.float32)}, folder / "model.safetensors")
    return folder


def hub_files() -> dict[str, bytes]:
    """The small files of a model on the hub."""
    return {
        "config.json": json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}).encode(),
        "tokenizer.json": json.dumps({"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}}).encode(),
        "README.md": b"---\nlicense: llama3.2\n---\n# Tiny\n",
    }


@dataclass
class Gguf:
    """A GGUF file and the ``transformers`` model that it was written from, its weights rounded as bfloat16 does."""

    file: Path
    original: object


@pytest.fixture(scope="session")
def gguf(tmp_path_factory) -> Gguf:
    """Written as llama.cpp's ``convert_hf_to_gguf.py`` does it: query and key rows permuted, one matrix quantised."""
    import numpy as np
    import torch
    from gguf import GGMLQuantizationType, GGUFWriter, TokenType
    from gguf.quants import dequantize, quantize
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import LlamaConfig, LlamaForCausalLM

    characters = sorted(ByteLevel.alphabet())
    tokens = [*SPECIALS, *characters, *(merge.replace(" ", "") for merge in MERGES)]
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
        max_position_embeddings=128,
        tie_word_embeddings=True,
    )
    original = LlamaForCausalLM(config)
    for parameter in original.parameters():  # the norms' ones, too, so that none can be taken for another
        torch.nn.init.normal_(parameter, std=0.3)

    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = GGUFWriter(file, "llama")
    writer.add_block_count(2)
    writer.add_context_length(128)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(100_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    kinds = [TokenType.CONTROL] * len(SPECIALS) + [TokenType.NORMAL] * (len(tokens) - len(SPECIALS))
    writer.add_token_types(kinds)
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template("{% for message in messages %}{{ message['content'] }}{% endfor %}")

    def add(name: str, parameter: torch.nn.Parameter, heads: int = 0) -> None:
        array = parameter.detach().numpy()
        if heads:
            rows, inputs = array.shape
            array = array.reshape(heads, 2, rows // heads // 2, inputs).swapaxes(1, 2).reshape(rows, inputs)
        writer.add_tensor(f"{name}.weight", np.ascontiguousarray(array))

    add("token_embd", original.model.embed_tokens.weight)
    add("output_norm", original.model.norm.weight)
    for number, layer in enumerate(original.model.layers):
        attention, mlp = layer.self_attn, layer.mlp
        add(f"blk.{number}.attn_norm", layer.input_layernorm.weight)
        add(f"blk.{number}.attn_q", attention.q_proj.weight, HEADS)
        add(f"blk.{number}.attn_k", attention.k_proj.weight, KV_HEADS)
        add(f"blk.{number}.attn_v", attention.v_proj.weight)
        add(f"blk.{number}.attn_output", attention.o_proj.weight)
        add(f"blk.{number}.ffn_norm", layer.post_attention_layernorm.weight)
        add(f"blk.{number}.ffn_gate", mlp.gate_proj.weight)
        add(f"blk.{number}.ffn_up", mlp.up_proj.weight)
        packed = quantize(mlp.down_proj.weight.detach().numpy(), GGMLQuantizationType.Q4_1)
        writer.add_tensor(f"blk.{number}.ffn_down.weight", packed, raw_dtype=GGMLQuantizationType.Q4_1)
        mlp.down_proj.weight.data = torch.tensor(dequantize(packed, GGMLQuantizationType.Q4_1))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    for parameter in original.parameters():
        parameter.data = parameter.data.bfloat16().float()
    return Gguf(file, original)
