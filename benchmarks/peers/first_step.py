"""The shortest training: start the server, connect, take one step of 32 examples, leave. FOLDER is for its store.

    python benchmarks/peers/first_step.py FOLDER

Prints the seconds from the process's start to the first step's beginning, and to its end.
"""

import os
import sys
import time
from pathlib import Path

import psutil

from tinkersql import corpus, embedded, models
from tinkersql.prompts import Prompts, encode_datum
from tinkersql.settings import TEMPLATE


def age() -> float:
    """Seconds since this process was started."""
    return time.time() - psutil.Process().create_time()


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    model = models.resolve()
    with embedded.server(model, folder / "store") as (base_url, key):
        from tinker import ServiceClient
        from tinker.types import AdamParams

        service = ServiceClient(base_url=base_url, api_key=key)
        client = service.create_lora_training_client(model.name, rank=32, train_unembed=False).result()
        tokenizer = client.get_tokenizer()
        examples = corpus.generate.generate(32)
        data = [encode_datum(tokenizer, Prompts(TEMPLATE), example) for example in examples]
        begun = age()
        step = client.forward_backward(data, "cross_entropy")
        client.optim_step(AdamParams(learning_rate=1e-3)).result()
        step.result()
        print(begun, age(), flush=True)
        os._exit(0)  # the server ends when the pipe to it closes


if __name__ == "__main__":
    main()
