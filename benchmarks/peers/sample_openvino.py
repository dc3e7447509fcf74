"""Continuous batching with OpenVINO GenAI, for ``benchmarks/engine_sampling.py``.

The first job opens the model: ``{"model", "converted", "dtype", "batch", "threads"}``; it is converted once. Every
later job ``{"prompts", "max_tokens", "stop_ids"}`` continues prompts greedily, and is answered with tokens and seconds.
"""

import time
from pathlib import Path
from typing import Any

import numpy
import openvino
import openvino_genai
from answering import answer_jobs


def convert(model: str, folder: Path) -> None:
    """Write the model with the weights' own 16 bits, and the tokenizer that the pipeline insists on."""
    from openvino_tokenizers import convert_tokenizer
    from optimum.intel import OVModelForCausalLM
    from transformers import AutoTokenizer

    OVModelForCausalLM.from_pretrained(model, export=True, compile=False, load_in_8bit=False).save_pretrained(folder)
    names = ("openvino_tokenizer.xml", "openvino_detokenizer.xml")
    for part, name in zip(
        convert_tokenizer(AutoTokenizer.from_pretrained(model), with_detokenizer=True), names, strict=True
    ):
        openvino.save_model(part, folder / name)


class Sampling:
    """A pipeline that stays open between jobs."""

    pipeline: Any = None

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        if "model" in job:
            folder = Path(job["converted"]) / "openvino"
            if not (folder / "openvino_detokenizer.xml").is_file():
                convert(job["model"], folder)
            self.pipeline = opened(folder, job)
            return {}
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens, config.do_sample = job["max_tokens"], False
        config.stop_token_ids, config.ignore_eos = set(job["stop_ids"]), not job["stop_ids"]
        prompts = [openvino.Tensor(numpy.array([prompt], dtype=numpy.int64)) for prompt in job["prompts"]]
        started = time.perf_counter()
        results = self.pipeline.generate(prompts, [config] * len(prompts))
        seconds = time.perf_counter() - started
        return {"answers": [list(map(int, result.m_generation_ids[0])) for result in results], "seconds": seconds}


def opened(folder: Path, job: dict[str, Any]) -> Any:
    """A pipeline that computes in the wanted dtype, keys and values included, with ``batch`` sequences at once."""
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.max_num_seqs, scheduler.cache_size = job["batch"], 2
    scheduler.enable_prefix_caching = False  # it would remember whole prompts from one repetition to the next
    kind = {"float32": "f32", "bfloat16": "bf16"}[job["dtype"]]
    properties = {
        "INFERENCE_PRECISION_HINT": kind,
        "KV_CACHE_PRECISION": kind,
        "INFERENCE_NUM_THREADS": job["threads"],
    }
    return openvino_genai.ContinuousBatchingPipeline(
        str(folder), scheduler_config=scheduler, device="CPU", properties=properties
    )


if __name__ == "__main__":
    answer_jobs(Sampling().do)
