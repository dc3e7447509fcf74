"""Batched generation with CTranslate2, for ``benchmarks/engine_sampling.py``; jobs as in ``sample_openvino.py``."""

import time
from pathlib import Path
from typing import Any

import ctranslate2
from answering import answer_jobs
from tokenizers import Tokenizer


class Sampling:
    """A generator that stays open between jobs."""

    generator: Any = None
    tokenizer: Any = None
    batch = 0

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        if "model" in job:
            self.open(job)
            return {}
        prompts = [[self.tokenizer.id_to_token(token) for token in prompt] for prompt in job["prompts"]]
        started = time.perf_counter()
        results = self.generator.generate_batch(
            prompts,
            max_batch_size=self.batch,
            max_length=job["max_tokens"],
            min_length=0 if job["stop_ids"] else job["max_tokens"],
            sampling_topk=1,
            include_prompt_in_result=False,
            return_end_token=True,
            end_token=job["stop_ids"] or None,
        )
        seconds = time.perf_counter() - started
        return {"answers": [result.sequences_ids[0] for result in results], "seconds": seconds}

    def open(self, job: dict[str, Any]) -> None:
        """Load the model in the wanted dtype, after converting it once."""
        from ctranslate2.converters import TransformersConverter

        folder = Path(job["converted"]) / "ctranslate2"
        if not (folder / "model.bin").is_file():
            TransformersConverter(job["model"]).convert(str(folder), force=True)
        supported = ctranslate2.get_supported_compute_types("cpu")
        if job["dtype"] not in supported:
            raise ValueError(f"{job['dtype']} is not supported on this CPU, only {', '.join(sorted(supported))}")
        self.batch = job["batch"]
        self.tokenizer = Tokenizer.from_file(f"{job['model']}/tokenizer.json")
        self.generator = ctranslate2.Generator(
            str(folder), compute_type=job["dtype"], inter_threads=1, intra_threads=job["threads"]
        )


if __name__ == "__main__":
    answer_jobs(Sampling().do)
