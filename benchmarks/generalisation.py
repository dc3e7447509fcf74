"""Data recipes beside each other: the same model, the same number of training tokens, the same questions.

    python benchmarks/generalisation.py --data FILE --spider FOLDER --scratch FOLDER [--recipes plain …] [--seeds 0 1 2]
        [--tokens 250000] [--rates 2e-3] [--batch 4] [--exams generated …] [--json results/generalisation.json]

FILE has rows as in sql-create-context, FOLDER is a checkout of Spider with its databases (without it those questions
are left out). Rows that share a question or a query with Spider's dev part are not trained on. Every combination of
recipe, seed and learning rate is trained once and keeps its outcome in the scratch folder: what is there already is not
done again, so a long comparison can be made in several sittings.

The questions never change: 200 rows of tables that occur in no training row, 200 rows like those of training, 200
generated ones of subjects and wordings that training never shows, the novel suite, the exercise's five, and a sample of
Spider's dev part, executed on the real databases. Settings are chosen by the generated ones, never by the suite.
"""

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from figures import rate, read, read_json, shown, write
from rich.console import Console
from rich.table import Table
from spider_execution import RealDatabases

from tinkersql import backend as backends
from tinkersql import corpus
from tinkersql.backend import Backend
from tinkersql.console import Terminal
from tinkersql.corpus import Corpus, Example, recipes
from tinkersql.corpus.reading import built_in
from tinkersql.corpus.traits import cluster_of
from tinkersql.evaluation import judge, summarise
from tinkersql.evaluation.methods import PLAIN, Method, Model, attempt
from tinkersql.evaluation.retrieval import POOL
from tinkersql.evaluation.statistics import clustered, compare_paired
from tinkersql.evaluation.suites import suite
from tinkersql.prompts import Prompts, encode_within
from tinkersql.settings import Settings
from tinkersql.tuning import SHORTEST_EXAMPLE, Diary, Plan, train

ROWS = 200
"""Questions of each of the two kinds of held-out rows."""
SPIDER = 200
"""Questions of Spider's dev part."""
UNTRAINED = {"base": PLAIN, "base-3-shot": Method("few-shot"), "base-retrieval": Method("retrieval")}
"""Names that stand for the base model in place of a recipe, with how it is asked."""
SPLIT_SEED = 0
"""The questions are the same for every training seed."""


@dataclass(frozen=True)
class Cell:
    """One training."""

    recipe: str
    seed: int
    tokens: int
    rate: float
    batch: int

    @property
    def key(self) -> str:
        return f"{self.recipe}-{self.tokens}-{self.batch}-{self.rate:g}-{self.seed}".replace(",", "+")


@dataclass(frozen=True)
class Exams:
    """What is asked after every training, and the rows that may be trained on."""

    train: tuple[Example, ...]
    questions: dict[str, Sequence[Example]]
    databases: RealDatabases | None


def exams(data: str, spider: Path | None, names: Sequence[str] | None, reporter: Terminal) -> Exams:
    """Set the table-disjoint questions aside first, then the rows like those of training; ``names``: None for all."""
    loaded = corpus.load(data, reporter)
    disjoint = corpus.split(loaded, ROWS, SPLIT_SEED, by="table")
    rest = corpus.split(Corpus(disjoint.train, loaded.source, loaded.sha256), ROWS, SPLIT_SEED)
    questions: dict[str, Sequence[Example]] = {
        "in-distribution": rest.test,
        "table-disjoint": disjoint.test,
        "generated": corpus.split(built_in(), ROWS, SPLIT_SEED).test,
        "novel": suite("novel"),
        "exercise": suite("exercise"),
    }
    databases = RealDatabases(spider) if spider else None
    if databases:
        questions["spider"] = random.Random(SPLIT_SEED).sample(databases.examples(), SPIDER)
    asked = {name: examples for name, examples in questions.items() if names is None or name in names}
    return Exams(_without_dev(rest.train, spider) if spider else rest.train, asked, databases)


def _without_dev(rows: Sequence[Example], spider: Path) -> tuple[Example, ...]:
    """The rows without the questions and queries of Spider's dev part, some of which the data set has taken over."""
    dev = {_bare(row[key]) for row in read_json(spider / "dev.json") for key in ("question", "query")}
    return tuple(row for row in rows if _bare(row.question) not in dev and _bare(row.gold) not in dev)


def _bare(text: str) -> str:
    """A text without case, punctuation and spaces."""
    return "".join(filter(str.isalnum, text.lower()))


def run_cell(cell: Cell, exam: Exams, backend: Backend, folder: Path, reporter: Terminal) -> dict[str, Any]:
    """Train with one recipe (``plain``: rows as they are; `UNTRAINED`: not at all), ask all, and keep the figures."""
    given = {"tokens": cell.tokens, "batch_size": cell.batch, "learning_rate": cell.rate, "seed": cell.seed}
    settings = replace(Settings(), **given, save_every=0)
    rows = list(exam.train)
    random.Random(cell.seed).shuffle(rows)
    method = UNTRAINED.get(cell.recipe, PLAIN)
    spec = "" if cell.recipe in ("plain", *UNTRAINED) else cell.recipe
    enriched = recipes.enrich(spec, rows, cell.seed, cell.tokens // SHORTEST_EXAMPLE).examples
    prompts = Prompts(settings.template)
    started = time.perf_counter()
    with backend.service() as service:
        trainer = service.create_lora_training_client(
            backend.model, rank=settings.rank, seed=cell.seed, train_unembed=False
        ).result()
        tokenizer = backend.tokenizer(trainer)
        taken = enriched if cell.tokens else ()
        _, datums, _ = encode_within(tokenizer, prompts, taken, cell.tokens, backend.context_length)
        training = train(trainer, Plan(datums, settings), reporter, Diary()) if datums else None
        weights = trainer.save_weights_for_sampler("final").result().path
        sampler = service.create_sampling_client(model_path=weights).result()
        found: dict[str, Any] = {}
        for name, examples in exam.questions.items():
            model = Model(name, sampler, tokenizer, backend.context_length)
            attempts = attempt(model, method, settings, exam.train[:POOL], examples, reporter)
            answers = [each.answer for each in attempts]
            predictions = judge(examples, answers, settings.judge_workers, reporter, f"judge {name}")
            right = [p.right for p in predictions]
            if name == "spider" and exam.databases:
                right = [exam.databases.agree(p.example, p.comparison.predicted) for p in predictions]
            found[name] = summarise(predictions) | {"right": right}
            lines = [json.dumps(p.to_dict(i), ensure_ascii=False) for i, p in enumerate(predictions)]
            (folder / f"{cell.key}.{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
            reporter.say(f"  {name}: {shown(rate(sum(right), len(right)))}")
    return {
        **asdict(cell),
        "training": training.to_dict() if training else {"examples": 0},
        "exams": found,
        "weights": weights,
        "minutes": round((time.perf_counter() - started) / 60, 1),
    }


def summary(outcomes: Sequence[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Per recipe and rate: each seed's count with its interval, the mean over seeds, and what the answers are like.

    ``folder`` holds the answers, from which each interval learns which questions are about the same tables. Each seed
    is paired with rows as they are, trained as long with the same seed, where that was done.
    """
    plain = {(o["seed"], o["tokens"]): o["exams"] for o in outcomes if o["recipe"] == "plain"}
    groups: dict[tuple[str, float, int, int], list[dict[str, Any]]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome["recipe"], outcome["rate"], outcome["tokens"], outcome["batch"]), []).append(outcome)
    return {"recipes": [_group(*key, group, folder, plain) for key, group in groups.items()]}


def _seed(outcome: dict[str, Any], exam: str, folder: Path) -> dict[str, Any]:
    """The rate of one training, with the plain interval and the one for questions in clusters."""
    right = outcome["exams"][exam]["right"]
    cell = Cell(**{field.name: outcome[field.name] for field in fields(Cell)})
    answers = read(folder / f"{cell.key}.{exam}.jsonl")
    same = [row["domain"] if exam == "spider" else cluster_of(row["schema"]) for row in answers]
    wider = asdict(clustered(right, same))
    return rate(sum(right), len(right)) | {"clustered": {name: round(value, 4) for name, value in wider.items()}}


def _group(
    recipe: str,
    learning_rate: float,
    tokens: int,
    batch: int,
    group: list[dict[str, Any]],
    folder: Path,
    plain: dict[tuple[int, int], dict[str, Any]],
) -> dict[str, Any]:
    names, seeds_given = list(group[0]["exams"]), " ".join(str(o["seed"]) for o in group)
    by_exam: dict[str, Any] = {}
    for name in names:
        seeds = [_seed(o, name, folder) for o in group]
        causes = [o["exams"][name]["causes"] for o in group]
        spurious = [o["exams"][name].get("spurious_conditions") for o in group]
        by_exam[name] = {
            "mean": round(fmean(seed["rate"] for seed in seeds), 4),
            "seeds": seeds,
            "spurious_conditions": spurious,
            "causes": causes,
            "against_plain": [
                asdict(compare_paired(plain[o["seed"], tokens][name]["right"], o["exams"][name]["right"]))
                for o in group
                if recipe != "plain" and name in plain.get((o["seed"], tokens), {})
            ],
        }
    return {
        "recipe": recipe,
        "command": (
            f"python benchmarks/generalisation.py --data FILE --spider FOLDER --scratch FOLDER --recipes {recipe} "
            f"--tokens {tokens} --batch {batch} --rates {learning_rate:g} --seeds {seeds_given}"
        ),
        "learning_rate": learning_rate,
        "tokens": tokens,
        "batch_size": batch,
        "seeds": [o["seed"] for o in group],
        "examples": [o["training"]["examples"] for o in group],
        "minutes": [o["minutes"] for o in group],
        "exams": by_exam,
    }


def show(console: Console, figures: dict[str, Any]) -> None:
    names = list(dict.fromkeys(name for entry in figures["recipes"] for name in entry["exams"]))
    table = Table("recipe", "rate", "batch", "tokens", "seeds", *names)
    for entry in figures["recipes"]:
        cells = (f"{entry['exams'][name]['mean']:.1%}" if name in entry["exams"] else "–" for name in names)
        table.add_row(
            entry["recipe"],
            f"{entry['learning_rate']:g}",
            str(entry["batch_size"]),
            str(entry["tokens"]),
            str(len(entry["seeds"])),
            *cells,
        )
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--spider", type=Path)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--recipes", nargs="*", default=["plain"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--rates", nargs="+", type=float, default=[Settings().learning_rate])
    parser.add_argument("--tokens", type=int, default=250_000)
    parser.add_argument("--batch", type=int, default=Settings().batch_size)
    parser.add_argument("--exams", nargs="+", help="of the questions, these alone: generated in-distribution …")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    reporter = Terminal()
    cells = [
        Cell(recipe, seed, 0 if recipe in UNTRAINED else options.tokens, learning_rate, options.batch)
        for seed in options.seeds
        for learning_rate in options.rates
        for recipe in options.recipes
    ]
    left = [cell for cell in cells if not (options.scratch / f"{cell.key}.json").is_file()]
    if left:
        exam = exams(options.data, options.spider, options.exams, reporter)
        with backends.connect(Settings(), options.scratch / "store", reporter) as backend:
            for cell in left:
                reporter.heading(cell.key)
                write(options.scratch / f"{cell.key}.json", run_cell(cell, exam, backend, options.scratch, reporter))
    figures = summary([read_json(path) for path in sorted(options.scratch.glob("*.json"))], options.scratch)
    write(options.json, figures)
    show(Console(width=140), figures)


if __name__ == "__main__":
    main()
