"""tinker-cookbook's DPO on comparisons of our own: ``cookbook_dpo.py MODEL_FOLDER LOG_FOLDER``."""

import sys

import chz
import datasets
from tinker_cookbook.preference import train_dpo
from tinker_cookbook.preference.dpo_datasets import DPODatasetBuilderFromComparisons
from tinker_cookbook.preference.preference_datasets import ComparisonDatasetBuilder
from tinker_cookbook.preference.types import Comparison, LabeledComparison
from tinker_cookbook.supervised.types import ChatDatasetBuilderCommonConfig


@chz.chz
class Comparisons(ComparisonDatasetBuilder):
    """A correct query is preferred to a wrong one."""

    def get_train_and_test_datasets(self):
        return datasets.Dataset.from_list([{"number": i} for i in range(16)]), None

    def example_to_labeled_comparison(self, example):
        def answer(text: str):
            return [{"role": "assistant", "content": text}]

        question = f"How many orders does customer {example['number']} have?"
        comparison = Comparison(
            prompt_conversation=[{"role": "user", "content": question}],
            completion_A=answer(f"SELECT COUNT(*) FROM orders WHERE customer = {example['number']}"),
            completion_B=answer("SELECT name FROM employees"),
        )
        return LabeledComparison(comparison=comparison, label="A")


def main() -> None:
    model, log = sys.argv[1:]
    common = ChatDatasetBuilderCommonConfig(
        model_name_for_tokenizer=model, renderer_name="role_colon", max_length=400, batch_size=4
    )
    builder = DPODatasetBuilderFromComparisons(common_config=common, comparison_builder=Comparisons())
    config = train_dpo.Config(
        log_path=log,
        model_name=model,
        recipe_name="dpo",
        renderer_name="role_colon",
        dataset_builder=builder,
        learning_rate=1e-3,
        lr_schedule="constant",
        eval_every=0,
        infrequent_eval_every=0,
        save_every=2,
        max_steps=4,
    )
    train_dpo.main(config)


if __name__ == "__main__":
    main()
