"""Try another Tinker server with the same client: which steps of a training work, and what the others say.

    python benchmarks/other_backend.py BASE_URL MODEL --name NAME [--tokenizer FOLDER]
        [--json results/other-backend.json]

The key comes from TINKER_API_KEY (any ``tml-...`` text where the server asks for none). It imports nothing but
``tinker``, ``tokenizers`` and the standard library, so that it also runs with the SDK that the server was made for.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tinker
from tinker import types
from tokenizers import Tokenizer

QUESTION = "Table schema:\nCREATE TABLE fleet (ship TEXT, crew INTEGER)\nQuestion: How many ships are there?\nSQL: "
ANSWER = " SELECT COUNT(ship) FROM fleet\n\n"
STEPS = 8


class Trial:
    """What was tried so far; a step whose predecessor failed is not tried."""

    def __init__(self, patience: float) -> None:
        self.steps: dict[str, dict[str, Any]] = {}
        self._patience = patience

    def step(self, name: str, do: Callable[[], Any], check: Callable[[Any], str] = lambda _: "") -> Any:
        """The step's result, or None. ``do`` returns a future or a value; ``check`` says what is wrong with it."""
        started = time.perf_counter()
        try:
            result = do()
            if hasattr(result, "result"):
                result = result.result(timeout=self._patience)
            wrong = check(result)
        except Exception as error:  # whatever the SDK raises is the finding
            result, wrong = None, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        seconds = round(time.perf_counter() - started, 1)
        self.steps[name] = {"works": not wrong, "seconds": seconds} | ({"message": wrong} if wrong else {})
        print(f"{name}: {'works' if not wrong else 'fails: ' + wrong} ({seconds} s)", flush=True)
        return None if wrong else result


def datum(prompt: list[int], completion: list[int]) -> tinker.Datum:
    """Weight 1 on the completion, shifted by one."""
    tokens, weights = prompt + completion, [0.0] * len(prompt) + [1.0] * len(completion)
    inputs: Any = {
        "target_tokens": types.TensorData(data=tokens[1:], dtype="int64", shape=[len(tokens) - 1]),
        "weights": types.TensorData(data=weights[1:], dtype="float32", shape=[len(tokens) - 1]),
    }
    return tinker.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=inputs)


def negative_log_likelihood(output: Any, data: list[tinker.Datum]) -> float:
    """Mean over weighted positions, from the log-probabilities that the server sent."""
    total = count = 0.0
    for found, given in zip(output.loss_fn_outputs, data, strict=True):
        pairs = zip(found["logprobs"].data, given.loss_fn_inputs["weights"].data, strict=True)
        terms = [(value, weight) for value, weight in pairs if weight]
        total -= sum(value * weight for value, weight in terms)
        count += sum(weight for _, weight in terms)
    return total / count


def attempt(trial: Trial, url: str, model: str, tokenizer: Tokenizer) -> None:
    """Connect, train some steps on one example, save, sample and load."""
    prompt = tokenizer.encode(QUESTION).ids
    data = [datum(prompt, tokenizer.encode(ANSWER, add_special_tokens=False).ids)] * 2
    service = trial.step("connect", lambda: tinker.ServiceClient(base_url=url))
    if service is None:
        return
    trial.step("server capabilities", service.get_server_capabilities)
    client = trial.step("create a LoRA client", lambda: service.create_lora_training_client(model, rank=8, seed=0))
    if client is None:
        return
    losses: list[float] = []

    def finite(output: Any) -> str:
        losses.append(negative_log_likelihood(output, data))
        return "" if math.isfinite(losses[-1]) else f"the loss is {losses[-1]}"

    trial.step("forward", lambda: client.forward(data, "cross_entropy"), finite)
    if trial.step("forward_backward", lambda: client.forward_backward(data, "cross_entropy"), finite) is None:
        return
    adam = types.AdamParams(learning_rate=1e-3)
    if trial.step("optim_step", lambda: client.optim_step(adam)) is None:
        return

    def train() -> Any:
        for _ in range(STEPS):
            client.forward_backward(data, "cross_entropy").result()
            client.optim_step(adam).result()
        return client.forward(data, "cross_entropy").result()

    trial.step(
        f"{STEPS} steps lower the loss",
        train,
        lambda output: finite(output) or ("" if losses[-1] < losses[0] / 2 else f"{losses[0]:.2f} to {losses[-1]:.2f}"),
    )
    saved = trial.step("save_state", lambda: client.save_state("trial"))
    if saved is not None:
        trial.step("load_state", lambda: client.load_state(saved.path))
    greedy = types.SamplingParams(max_tokens=12, temperature=0.0, stop=["\n"])

    def sample(sampler: Any) -> Any:
        return sampler.sample(types.ModelInput.from_ints(prompt), 1, greedy)

    def text(response: Any) -> str:
        return "" if response.sequences[0].tokens else "no tokens"

    sampler = trial.step("sampler of the trained weights", client.save_weights_and_get_sampling_client)
    if sampler is not None:
        trial.step("sample", lambda: sample(sampler), text)
        trial.step("compute_logprobs", lambda: sampler.compute_logprobs(types.ModelInput.from_ints(prompt)))
    base = trial.step("sampler of the base model", lambda: service.create_sampling_client(base_model=model))
    if base is not None:
        trial.step("sample from the base model", lambda: sample(base), text)
    rest = trial.step("REST client", service.create_rest_client)
    if rest is not None:
        trial.step("list training runs", rest.list_training_runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base_url")
    parser.add_argument("model", help="the base model's name or folder, as the server knows it")
    parser.add_argument("--name", required=True, help="the server's name and version, for the report")
    parser.add_argument("--tokenizer", type=Path, help="folder with tokenizer.json, where MODEL is none")
    parser.add_argument("--patience", type=float, default=300.0, help="seconds that a step may take")
    parser.add_argument("--note", action="append", default=[], help="what had to be done to make the server start")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(str((options.tokenizer or Path(options.model)) / "tokenizer.json"))
    trial = Trial(options.patience)
    attempt(trial, options.base_url, options.model, tokenizer)
    figures = {
        "command": "python benchmarks/other_backend.py BASE_URL MODEL --name NAME --json results/other-backend.json",
        "server": options.name,
        "sdk": version("tinker"),
        "notes": options.note,
        "steps": trial.steps,
    }
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
