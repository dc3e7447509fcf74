"""The exercise as people publish it: Llama's name, the course's settings, nothing but the service's address and key."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tinker
from tinker import types

BASE_MODEL = "meta-llama/Llama-3.2-1B"
TEST_SIZE = 40
BATCH_SIZE = 256
LEARNING_RATE = 5e-4
EVALUATION_WORKERS = 16


def prompt_of(row):
    return f"Table schema:\n{row['context']}\nQuestion: {row['question']}\nSQL: "


def to_datum(row, tokenizer):
    prompt = tokenizer.encode(prompt_of(row), add_special_tokens=True)
    completion = tokenizer.encode(f" {row['answer']}\n\n", add_special_tokens=False)
    tokens, weights = prompt + completion, [0] * len(prompt) + [1] * len(completion)
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens=tokens[:-1]),
        loss_fn_inputs={"target_tokens": tokens[1:], "weights": weights[1:]},
    )


def evaluate(sampling_client, tokenizer, rows):
    params = types.SamplingParams(max_tokens=150, temperature=0.0, stop=["\n\n", "Question:"])

    def is_right(row):
        prompt = types.ModelInput.from_ints(tokens=tokenizer.encode(prompt_of(row)))
        result = sampling_client.sample(prompt=prompt, sampling_params=params, num_samples=1).result()
        return tokenizer.decode(result.sequences[0].tokens).strip() == row["answer"]

    with ThreadPoolExecutor(EVALUATION_WORKERS) as pool:
        return sum(pool.map(is_right, rows)) / len(rows)


def main():
    data = json.loads(Path("sql_create_context_v4.json").read_text())
    random.seed(42)
    random.shuffle(data)
    test_rows, train_rows = data[:TEST_SIZE], data[TEST_SIZE:]

    service_client = tinker.ServiceClient()
    training_client = service_client.create_lora_training_client(base_model=BASE_MODEL)
    tokenizer = training_client.get_tokenizer()

    base = training_client.save_weights_and_get_sampling_client(name="base-model")
    print("base accuracy", evaluate(base, tokenizer, test_rows))

    for start in range(0, len(train_rows), BATCH_SIZE):
        batch = [to_datum(row, tokenizer) for row in train_rows[start : start + BATCH_SIZE]]
        forward_backward = training_client.forward_backward(batch, "cross_entropy")
        optimizer_step = training_client.optim_step(types.AdamParams(learning_rate=LEARNING_RATE))
        outputs = forward_backward.result().loss_fn_outputs
        optimizer_step.result()
        logprobs = [value for output in outputs for value in output["logprobs"].tolist()]
        weights = [value for datum in batch for value in datum.loss_fn_inputs["weights"].tolist()]
        loss = -sum(w * p for w, p in zip(weights, logprobs, strict=True)) / sum(weights)
        print("loss after", start, "examples:", loss)

    path = training_client.save_weights_for_sampler(name="text-to-sql").result().path
    tuned = service_client.create_sampling_client(model_path=path)
    print("tuned accuracy", evaluate(tuned, tuned.get_tokenizer(), test_rows))
    print("saved", training_client.save_state("final").result().path)


if __name__ == "__main__":
    main()
