"""A tiny random Llama in the Hugging Face layout, for tests."""

from pathlib import Path
from typing import Any

END_OF_TEXT = "<|endoftext|>"

_TEXTS = [
    "Table schema:\nCREATE TABLE employees (id INTEGER, name VARCHAR, salary REAL, department VARCHAR)\n",
    "Question: What are the names of employees in the engineering department?\nSQL: ",
    "SELECT name FROM employees WHERE department = 'engineering'\n\n",
    "SELECT COUNT(*), AVG(salary) FROM employees GROUP BY department ORDER BY COUNT(*) DESC LIMIT 3\n\n",
    "Question: How many orders does each customer have? The total, the average, the highest and the lowest.\n",
]


def write_tiny_model(folder: Path, **overrides: Any) -> Path:
    """Write a random Llama with its own byte-level BPE tokenizer.

    `overrides` go to the configuration; a `model_type` among them makes a relative of Llama.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        min_frequency=1,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXTS, trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END_OF_TEXT).save_pretrained(folder)
    settings: dict[str, Any] = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        # Larger than usual: otherwise a random model predicts almost the same for every text.
        "initializer_range": 0.2,
        "bos_token_id": None,
        "eos_token_id": tokenizer.token_to_id(END_OF_TEXT),
    }
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**{"model_type": "llama"} | settings | overrides))
    with torch.no_grad():  # what only relatives of Llama have starts at zero or one, which would hide a mistake in it
        for name, parameter in model.named_parameters():
            if name.endswith(("bias", "q_norm.weight", "k_norm.weight")):
                parameter.add_(torch.randn_like(parameter) * 0.3)
    model.save_pretrained(folder)
    return folder
