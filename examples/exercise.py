"""The whole exercise as one synchronous script: read it from top to bottom.

Fine-tune a language model for text-to-SQL through the Tinker SDK, and measure it before and after:

    tinkersql data generate data.json     # or the course's sql_create_context_v4.json
    tinkersql serve                       # in a second terminal: a Tinker service on this machine ...
    export TINKER_BASE_URL=... TINKER_API_KEY=...      # ... with the two lines that it prints
    python examples/exercise.py data.json

Without TINKER_BASE_URL the same script runs on hosted Tinker: add
--model meta-llama/Llama-3.2-1B --batch-size 256 --learning-rate 5e-4 --examples 0.
`tinkersql run` does all this with batches in flight, intervals, checkpoints and a report.
"""

import argparse
import json
import random
from pathlib import Path

import tinker
from tinker import types

from tinkersql import sql_matches

TEMPLATE = "Table schema:\n{context}\nQuestion: {question}\nSQL: "
NOVEL = [  # the exercise's step 7: schemas unlike those of the training data
    (
        "CREATE TABLE employees (id INTEGER, name VARCHAR, salary REAL, department VARCHAR)",
        "What are the names of employees in the engineering department?",
    ),
    (
        "CREATE TABLE products (id INTEGER, name VARCHAR, price REAL, category VARCHAR)",
        "How many products cost more than 50 dollars?",
    ),
    (
        "CREATE TABLE students (id INTEGER, name VARCHAR, score INTEGER, class VARCHAR)",
        "What is the highest score in the science class?",
    ),
    (
        "CREATE TABLE orders (id INTEGER, customer VARCHAR, amount REAL, date VARCHAR)",
        "List the top 3 customers by total order amount.",
    ),
    (
        "CREATE TABLE courses (id INTEGER, name VARCHAR, department VARCHAR); "
        "CREATE TABLE enrollments (student_id INTEGER, course_id INTEGER, grade VARCHAR)",
        "How many students are enrolled in each department?",
    ),
]


def make_datum(tokenizer, row: dict[str, str]) -> tinker.Datum:
    """Prompt with weight 0, completion with weight 1, shifted by one: position i predicts token i + 1."""
    prompt = tokenizer.encode(TEMPLATE.format(context=row["context"], question=row["question"]))
    completion = tokenizer.encode(f" {row['answer']}\n\n", add_special_tokens=False)
    tokens = prompt + completion
    weights = [0.0] * len(prompt) + [1.0] * len(completion)
    return tinker.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={"target_tokens": tokens[1:], "weights": weights[1:]},
    )


def ask(sampler: tinker.SamplingClient, tokenizer, questions: list[tuple[str, str]]) -> list[str]:
    """Answer (schema, question) pairs greedily; all are in flight at once, so that the service can batch them."""
    params = types.SamplingParams(max_tokens=150, temperature=0.0, stop=["\n\n", "Question:", tokenizer.eos_token])
    futures = []
    for context, question in questions:
        tokens = tokenizer.encode(TEMPLATE.format(context=context, question=question))
        futures.append(sampler.sample(types.ModelInput.from_ints(tokens), 1, params))
    return [tokenizer.decode(future.result().sequences[0].tokens) for future in futures]


def accuracy(sampler: tinker.SamplingClient, tokenizer, rows: list[dict[str, str]]) -> float:
    """Share of rows whose generated query means the same as the row's own."""
    answers = ask(sampler, tokenizer, [(row["context"], row["question"]) for row in rows])
    right = [sql_matches(answer, row["answer"], row["context"]) for answer, row in zip(answers, rows, strict=True)]
    return sum(right) / len(right)


def main() -> None:
    """Measure, train, measure again, try the novel schemas."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a JSON array of question, context, answer")
    parser.add_argument("--model", help="base model; by default the only one that the service has")
    parser.add_argument("--test-size", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--examples", type=int, default=1600, help="training budget; 0 is one epoch")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="the exercise: 5e-4 with batch 256")
    args = parser.parse_args()

    # 1. Data: shuffle, then the first rows are the test set.
    rows = json.loads(Path(args.data).read_text(encoding="utf-8"))
    random.Random(0).shuffle(rows)
    test, train = rows[: args.test_size], rows[args.test_size :]
    train = train[: args.examples or None]
    if not train:
        parser.error(f"--test-size {args.test_size} leaves nothing to train on: {args.data} has {len(rows)} rows")
    print(f"{len(rows)} rows: {len(test)} to test on, {len(train)} to train on")

    # 2. A training client: the base model with an untouched LoRA adapter.
    with tinker.ServiceClient() as service:
        served = tinker.RestClient().get_server_capabilities().result().supported_models
        model = args.model or served[0].model_name
        trainer = service.create_lora_training_client(model, rank=32, seed=0, train_unembed=False).result()
        tokenizer = trainer.get_tokenizer()

        # 3. The base model, before any training.
        base = trainer.save_weights_and_get_sampling_client().result()
        before = accuracy(base, tokenizer, test)
        print(f"base model: {before:.1%}")

        # 4. One pass over the training data. The loss that comes back is a sum, so divide by the sum of the weights.
        datums = [make_datum(tokenizer, row) for row in train]
        for start in range(0, len(datums), args.batch_size):
            batch = datums[start : start + args.batch_size]
            result = trainer.forward_backward(batch, "cross_entropy").result()
            trainer.optim_step(types.AdamParams(learning_rate=args.learning_rate)).result()
            weight = sum(sum(datum.loss_fn_inputs["weights"].data) for datum in batch)
            print(f"step {start // args.batch_size + 1}: loss {result.metrics['loss:sum'] / weight:.3f}")

        # 5. Save: one checkpoint to go on from, one to answer with.
        print("to resume:", trainer.save_state("exercise", overwrite=True).result().path)
        path = trainer.save_weights_for_sampler("exercise").result().path
        print("to answer:", path)

        # 6. The tuned model, on the same questions.
        tuned = service.create_sampling_client(model_path=path).result()
        print(f"base model: {before:.1%}, tuned model: {accuracy(tuned, tokenizer, test):.1%}")

        # 7. Schemas it has never seen: read them, and judge for yourself.
        for (_, question), answer in zip(NOVEL, ask(tuned, tokenizer, NOVEL), strict=True):
            print(f"{question}\n   {answer.strip()}")


if __name__ == "__main__":
    main()
