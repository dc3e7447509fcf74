"""Training with less and less memory, run as a process of its own: ``python little_memory.py MODEL_FOLDER``.

Exits with 0 once a pass that had to use smaller micro-batches gave the gradient of one that had room.
"""

import logging
import os
import resource
import sys
from pathlib import Path

import torch

from tinkersql.engine.loading import load_llama
from tinkersql.engine.lora import LoraConfig
from tinkersql.engine.losses import find_loss
from tinkersql.engine.training import Datum, Trainer

MIB = 1 << 20


def main(folder: Path) -> int:
    torch.set_num_threads(1)
    model = load_llama(folder, torch.float32)
    data = [Datum(torch.arange(n) % 400, (torch.arange(n) + 7) % 400, {"weights": torch.ones(n)}) for n in [60] * 16]
    cross_entropy = find_loss("cross_entropy")
    trainer = Trainer(model, LoraConfig(4, 0))
    trainer.forward_backward(data, cross_entropy)
    expected = trainer.gradient.clone()
    warned: list[logging.LogRecord] = []
    logging.getLogger("tinkersql.engine.training").addFilter(lambda record: not warned.append(record))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    for spare in range(200, 0, -4):
        resource.setrlimit(resource.RLIMIT_AS, (used + spare * MIB, resource.RLIM_INFINITY))
        trainer.gradient.zero_()
        trainer.forward_backward(data, cross_entropy)
        if warned:
            return 0 if torch.allclose(trainer.gradient, expected, rtol=1e-3, atol=1e-3) else 1
    return 1


sys.exit(main(Path(sys.argv[1])))
