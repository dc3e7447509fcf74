"""One prompt after the other through ``transformers.generate``; jobs as in ``sample_openvino.py``."""

import time
from typing import Any

import torch
from answering import answer_jobs
from transformers import AutoModelForCausalLM


class Sampling:
    """A model that stays open between jobs."""

    model: Any = None

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        if "model" in job:
            torch.set_num_threads(job["threads"])
            self.model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=getattr(torch, job["dtype"])).eval()
            return {}
        shortest = 0 if job["stop_ids"] else job["max_tokens"]
        answers = []
        started = time.perf_counter()
        for prompt in job["prompts"]:
            whole = self.model.generate(
                torch.tensor([prompt]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
                max_new_tokens=job["max_tokens"],
                min_new_tokens=shortest,
                do_sample=False,
                eos_token_id=job["stop_ids"] or None,
            )
            answers.append(whole[0, len(prompt) :].tolist())
        return {"answers": answers, "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    answer_jobs(Sampling().do)
