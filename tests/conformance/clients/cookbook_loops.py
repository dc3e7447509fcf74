"""Run a recipe of tinker-cookbook that loads its data from the hub on a data set of our own instead.

``cookbook_loops.py MODULE TOKENIZER_FOLDER key=value ...`` runs ``tinker_cookbook.MODULE`` as its command line does.
The model's name is an alias of the server; the cookbook knows its renderer, and finds its tokenizer in the folder.
"""

import importlib
import sys

import chz
import datasets
from tinker_cookbook.tokenizer_utils import register_tokenizer
from transformers import AutoTokenizer

MODEL = "meta-llama/Llama-3.2-1B"


def conversation(i: int) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"How many orders does customer {i} have?"},
        {"role": "assistant", "content": f"SELECT COUNT(*) FROM orders WHERE customer = {i}"},
    ]


ROWS = {
    "HuggingFaceH4/no_robots": [{"messages": conversation(i)} for i in range(24)],
    "openai/gsm8k": [{"question": f"What is {i} + 1?", "answer": f"#### {i + 1}"} for i in range(24)],
}


def load_dataset(name: str, *_: str) -> datasets.DatasetDict:
    """In place of the hub's."""
    return datasets.DatasetDict(train=datasets.Dataset.from_list(ROWS[name]))


def main() -> None:
    module, folder = sys.argv[1:3]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    register_tokenizer(MODEL, lambda: tokenizer)
    datasets.load_dataset = load_dataset
    recipe = importlib.import_module(f"tinker_cookbook.{module}")
    chz.nested_entrypoint(recipe.main, argv=[f"model_name={MODEL}", *sys.argv[3:]])


if __name__ == "__main__":
    main()
