"""Every figure in the README and in the docs stands in a committed results file."""

import json
from pathlib import Path

import pytest

from tinkersql.settings import PRESETS

ROOT = Path(__file__).parent.parent
LABELS = {
    "base": "base model",
    "base-3-shot": "base model, 3 examples in its prompt",
    "base-retrieval": "base model, the 3 most similar of 1,000 examples in its prompt",
    "tuned": "tuned model",
    "tuned-renamed": "tuned model, tables and columns renamed",
}
TRAINED_ON = {
    "plain": "rows as they are",
    PRESETS["cpu"].recipe: "rows by the default recipe",
}
FIRST_RECIPE = "full-schemas,value-case,mix-generated=0.5"
"""The default until swallowed aggregates were found."""
EXAMS = ("in-distribution", "table-disjoint", "novel", "spider")


def result(name: str) -> dict:
    return json.loads((ROOT / "results" / f"{name}.json").read_text("utf-8"))


def exams_of(name: str, recipe: str) -> dict:
    """What came of the exams after training with that recipe, for as long as in the headline."""
    entries = (e for e in result(name)["recipes"] if e["tokens"] == PRESETS["cpu"].tokens)
    return next(entry["exams"] for entry in entries if entry["recipe"] == recipe)


def table(name: str) -> list[str]:
    """The rows of a run's table, as the documents show them."""
    return [
        f"| {LABELS[model]} | {e['matches']} of {e['n']} | {e['rate']:.1%} | "
        f"{e['clustered']['low']:.1%} to {e['clustered']['high']:.1%} |"
        for model, e in result(name)["evaluations"].items()
    ]


def test_the_demo_s_table_is_read_from_results() -> None:
    text = (ROOT / "docs/experiments.md").read_text("utf-8")
    for row in table("demo"):
        assert row in text
    assert f"`{result('demo')['command']}`" in text
    assert "results/demo.json" in text


def test_the_demo_s_figures_in_sentences_are_read_from_results() -> None:
    text = " ".join((ROOT / "docs/experiments.md").read_text("utf-8").split())
    r = result("demo")
    assert f"{r['training']['examples']:,} examples" in text
    novel = r["suites"]["exercise"]
    assert f"novel schemas: {novel['base']['matches']} of 5 before, {novel['tuned']['matches']} of 5 after" in text
    assert f"{round(r['seconds'] / 60)} minutes" in text
    assert f"{r['peak_memory_mib'] / 1024:.1f} GiB" in text
    assert "{:.0f} tokens a second".format(r["training"]["tokens_per_second"]) in text
    estimated, error = r["cost"]["estimated"]["seconds"], r["cost"]["error"]
    assert f"estimated at {estimated / 60:.0f} minutes beforehand, and took {error:.0%} more" in text
    [versus_shots] = [c for c in r["comparisons"] if c["a"] == "base-3-shot"]
    gained, lost = versus_shots["b_only"], versus_shots["a_only"]
    assert f"{gained} questions gained and {lost} lost" in text


@pytest.mark.parametrize("document", ["README.md", "docs/generalisation.md"])
def test_the_gain_on_schemas_never_seen_is_read_from_results(document) -> None:
    text = (ROOT / document).read_text("utf-8")
    headline = (e for e in result("generalisation")["recipes"] if e["tokens"] == PRESETS["cpu"].tokens)
    for entry in (entry for entry in headline if entry["recipe"] in TRAINED_ON):
        for index, seed in enumerate(entry["seeds"]):
            figures = [entry["exams"][exam]["seeds"][index] for exam in EXAMS]
            spans = [(f["rate"], f["clustered"]["low"], f["clustered"]["high"]) for f in figures]
            cells = [f"{share:.1%} ({low:.1%}–{high:.1%})".replace("%", " %") for share, low, high in spans]
            assert f"| {TRAINED_ON[entry['recipe']]}, seed {seed} | {' | '.join(cells)} |" in text


def test_the_story_of_new_schemas_is_read_from_results() -> None:
    text = " ".join((ROOT / "docs/generalisation.md").read_text("utf-8").split())
    enriched, plain = (exams_of("generalisation", recipe) for recipe in (PRESETS["cpu"].recipe, "plain"))
    assert not any(seed["hits"] for seed in plain["novel"]["seeds"])
    novel = listed([seed["hits"] for seed in enriched["novel"]["seeds"]])
    assert f"none of the 160 novel questions with either seed, against {novel} by the recipe" in text
    for exam, where in (
        ("in-distribution", "rows like those of training"),
        ("table-disjoint", "tables in no training row"),
    ):
        points = 100 * (plain[exam]["mean"] - enriched[exam]["mean"])
        paired = [f"{c['a_only']} lost and {c['b_only']} gained, p = {c['p_value']:.2g}" for c in against(exam)]
        assert f"{points:.1f} points on {where} ({'; '.join(paired)})" in text
    for causes in enriched["novel"]["causes"]:
        # The text says: most often with a column that the table at hand does not have.
        assert max(causes, key=causes.__getitem__) == "unknown_name"
    fell = (listed(e["novel"]["spurious_conditions"]) for e in (plain, enriched))
    assert f"fell from {' to '.join(fell)} of 160" in text
    wrong = (listed([c["wrong_aggregate"] for c in e["in-distribution"]["causes"]]) for e in (enriched, plain))
    assert "{} answers of 200 have a wrong one, where it was {}.".format(*wrong) in text
    right = (listed([seed["hits"] for seed in e["exercise"]["seeds"]]) for e in (plain, enriched))
    assert "Of the exercise's five questions {} were right, and {} are.".format(*right) in text
    [disjoint] = [s["leaks"] for s in result("splits")["splits"] if s["by"] == "table" and s["leaks"]["test"] == 200]
    assert f"of these 200 questions {disjoint['columns']} have column names" in text
    assert f"{disjoint['near']} of them with the same template, too, and {disjoint['template']} a template" in text


def against(exam: str) -> list[dict]:
    """The default recipe beside rows as they are, on the same questions, for each seed."""
    return exams_of("generalisation", PRESETS["cpu"].recipe)[exam]["against_plain"]


def test_what_whole_schemas_for_the_rows_cost_is_read_from_results() -> None:
    document = (ROOT / "docs/generalisation.md").read_text("utf-8")
    names = {
        "plain": "rows as they are",
        PRESETS["cpu"].recipe: "the default",
        FIRST_RECIPE: "the default and `full-schemas`",
    }
    for recipe, name in names.items():
        exams = exams_of("generalisation", recipe)
        assert f"| {name} | {' | '.join(cells(exams))} |" in document
    text = " ".join(document.split())
    default, whole = (exams_of("generalisation", recipe) for recipe in (PRESETS["cpu"].recipe, FIRST_RECIPE))
    rows, others = (
        listed([a["hits"] - b["hits"] for a, b in zip(default[exam]["seeds"], whole[exam]["seeds"], strict=True)])
        for exam in EXAMS[:2]
    )
    assert f"It cost {rows} of 200 rows like those of training and {others} of those on other tables." in text
    whole_examples, examples = (
        " and ".join(f"{n:,}" for n in entry["examples"])
        for recipe in (FIRST_RECIPE, PRESETS["cpu"].recipe)
        for entry in result("generalisation")["recipes"]
        if entry["recipe"] == recipe
    )
    assert f"paid for with fewer: {whole_examples} examples instead of {examples}." in text
    swallowed, mended = (exams_of(file, FIRST_RECIPE) for file in ("swallowed", "generalisation"))
    before, after = ([e[exam]["seeds"][0]["hits"] for exam in EXAMS[:2]] for e in (swallowed, mended))
    assert f"seed 0, {listed(before)} of 200, where after the repair it is {listed(after)}" in text
    damaged = result("data-quality")["causes"]["swallowed aggregate"]["rows"]
    assert f"{damaged:,} golds of 79,034" in text


def cells(exams: dict) -> list[str]:
    """A table's cells: how many right answers each training gave to each exam."""
    seeds = [exams[exam]["seeds"] for exam in (*EXAMS[:2], "generated", *EXAMS[2:])]
    return [f"{', '.join(str(s['hits']) for s in each)} of {each[0]['n']}" for each in seeds]


def test_what_was_tried_is_read_from_results() -> None:
    text = " ".join((ROOT / "docs/generalisation.md").read_text("utf-8").split())
    few_tables, first, enriched = (
        exams_of(name, FIRST_RECIPE) for name in ("few-spare-tables", "first-rate", "swallowed")
    )
    earlier = "{hits} of {n}".format(**few_tables["novel"]["seeds"][0])
    assert f"It answered {earlier} novel questions at the first rate." in text
    old = {exam: "{hits} of {n}".format(**first[exam]["seeds"][0]) for exam in EXAMS}
    assert f"{old['novel']} novel questions, {old['in-distribution']} rows like those of training" in text
    assert f"{old['spider']} of Spider's" in text
    assert f"of the generated questions it answered {first['generated']['seeds'][0]['hits']}." in text
    for entry in result("tuning")["settings"]:
        counts = ("{hits} of {n}".format(**entry["exams"][exam]) for exam in ("generated", "in-distribution"))
        setting = f"| {entry['learning_rate']:g} | {entry['batch_size']} | {entry['questions_per_schema']} |"
        assert f"{setting} {' | '.join(counts)} |" in text
    for entry in result("tuning")["without_gain"]["trials"]:
        exams = entry["exams"]
        kinds = ("generated", "in-distribution", "spider-others")
        shown = ["{hits} of {n}".format(**exams[kind]) if kind in exams else "–" for kind in kinds]
        assert f"| {entry['what']} | {' | '.join(shown)} |" in text
    half = {exam: figure["hits"] for exam, figure in result("tuning")["plain"]["exams"].items()}
    kinds = f"{half['in-distribution']} of 200 in distribution and {half['table-disjoint']} of 200 on tables"
    assert f"the only other one tried with rows as they are, gave {kinds} in no training row" in text
    others = listed([seed["hits"] for seed in enriched["generated"]["seeds"][1:]])
    assert f"itself answered {others} of the generated questions" in text


def test_the_readme_tells_what_the_demo_costs() -> None:
    demo = result("demo")
    cost = f"{round(demo['seconds'] / 60)} minutes after the downloads, and {demo['peak_memory_mib'] / 1024:.1f} GiB"
    assert cost in (ROOT / "README.md").read_text("utf-8")


def test_how_exports_answer_is_read_from_results() -> None:
    text = " ".join((ROOT / "docs/export.md").read_text("utf-8").split())
    f16, q8_0 = result("export")["f16"], result("export")["q8_0"]
    assert f"as an F16 file gave {f16['same']} of {f16['n']} answers" in text
    assert f"as a Q8_0 file {q8_0['same']}," in text
    assert f16["original"] == q8_0["original"]
    assert (
        f"({f16['original']} answers were right before, {f16['exported']} as F16, {q8_0['exported']} as Q8_0;" in text
    )
    longer = result("export")["q8_0_real_rows"]
    assert f"gave {longer['same']} of {longer['n']} answers of the original as Q8_0" in text
    assert f"{longer['original']} right before and {longer['exported']} after" in text


def test_what_checking_data_takes_is_read_from_results() -> None:
    quality = result("data-quality")
    text = (ROOT / "docs/data.md").read_text("utf-8")
    assert f"{quality['rows']:,} rows of the exercise's format took {quality['seconds']:.0f} seconds" in text


def test_what_votes_gain_and_cost_is_read_from_results() -> None:
    document = (ROOT / "docs/evaluation.md").read_text("utf-8")
    found, versus = result("votes"), [None, *result("votes")["comparisons"]]
    for name, e, c in zip(("greedy", "`--repair`", "`--votes 5`", "both"), found["evaluations"], versus, strict=True):
        span = f"{e['clustered']['low']:.1%} to {e['clustered']['high']:.1%}".replace("%", " %")
        cost = f"{e['per_question']['tokens']:.0f} | {e['per_question']['seconds']:.2f}"
        paired = f"{c['b_only']} | {c['a_only']} | {c['p_value']:.2g}" if c else "| |"
        row = f"| {name} | {e['matches']} of {e['n']} | {span} | {cost} | {paired} |"
        assert row in document
    assert f"`{found['evaluations'][0]['command']}`" in document
    greedy, votes = (found["evaluations"][index]["matches"] for index in (0, 2))
    assert greedy == result("real-rows")["suites"]["novel"]["tuned"]["matches"]
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert f"by the command itself answered {greedy} of the 160 greedily, and {votes} [with five votes]" in readme


def test_what_retrieval_gains_is_read_from_results() -> None:
    document = (ROOT / "docs/evaluation.md").read_text("utf-8")
    found = result("retrieval")
    names = {
        "base": "base",
        "base-retrieval": "base with retrieval",
        "tuned": "tuned",
        "tuned-retrieval": "tuned with retrieval",
    }
    often = ("one condition", "several conditions")
    for key, name in names.items():
        e = found["evaluations"][key]
        span = f"{e['clustered']['low']:.1%} to {e['clustered']['high']:.1%}".replace("%", " %")
        others = [group for kind, group in e["by_kind"].items() if kind not in often]
        groups = [*(e["by_kind"][kind] for kind in often), {k: sum(g[k] for g in others) for k in ("matches", "n")}]
        cells = " | ".join(f"{group['matches']} of {group['n']}" for group in groups)
        read = f"{e['per_question']['prompt_tokens']:.0f}"
        assert f"| {name} | {e['matches']} of {e['n']} | {span} | {cells} | {read} |" in document
    assert f"`{found['command']}`" in document
    tuned, retrieval = (found["evaluations"][name] for name in ("tuned", "base-retrieval"))
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert f"Of {tuned['n']} rows like those of training it answered {tuned['matches']}," in readme
    assert f"similar rows in its prompt {retrieval['matches']}:" in readme
    pairs = {(c["a"], c["b"]): c for c in found["comparisons"]}
    text = " ".join(document.split())
    fixed = result("real-rows")["evaluations"]["base-3-shot"]
    assert f"three fixed examples bring it to {fixed['matches']} of {fixed['n']}" in text
    trained, on_top = pairs["base-retrieval", "tuned"], pairs["tuned", "tuned-retrieval"]
    assert f"gains {trained['b_only']} questions over it and loses {trained['a_only']}" in text
    assert f"(McNemar p = {trained['p_value']:.0g})" in text
    one, several = (trained["by_kind"][kind] for kind in often)
    assert f"one condition {one['b_only']} gained and {one['a_only']} lost" in text
    assert f"with several {several['b_only']} and {several['a_only']}." in text
    assert f"{on_top['b_only']} gained and {on_top['a_only']} lost (p = {on_top['p_value']:.0g})" in text


def test_a_training_by_the_command_is_read_from_results() -> None:
    text = " ".join((ROOT / "docs/generalisation.md").read_text("utf-8").split())
    run = result("real-rows")
    novel, exercise, rows = run["suites"]["novel"], run["suites"]["exercise"]["tuned"], run["evaluations"]["tuned"]
    assert f"(`{run['command']}`, results/real-rows.json)" in text
    assert (
        f"answered {novel['tuned']['matches']} of 160 novel questions, where the base model answered "
        f"{novel['base']['matches']}, {rows['matches']} of {rows['n']} rows like those of training, and "
        f"{exercise['matches']} of the exercise's 5."
    ) in text


def test_what_each_part_of_the_recipe_did_is_read_from_results() -> None:
    text = (ROOT / "docs/generalisation.md").read_text("utf-8")
    names = {
        "plain": "rows as they are",
        "full-schemas": "`full-schemas`",
        "mix-generated=0.5": "`mix-generated=0.5`",
        FIRST_RECIPE: "both, with `value-case`",
    }
    for recipe, name in names.items():
        exams = exams_of("swallowed", recipe)
        first = {exam: {"seeds": figures["seeds"][:1]} for exam, figures in exams.items()}
        assert f"| {name} | {' | '.join(cells(first))} |" in text


def test_the_curve_of_accuracy_and_budget_is_read_from_results() -> None:
    text = (ROOT / "docs/generalisation.md").read_text("utf-8")
    for entry in result("swallowed")["recipes"]:
        if entry["recipe"] == FIRST_RECIPE:
            assert f"| {entry['tokens']:,} | {' | '.join(cells(entry['exams']))} |" in text
    text = " ".join((text + (ROOT / "README.md").read_text("utf-8")).split())
    longest = max(result("swallowed")["recipes"], key=lambda entry: entry["tokens"])
    [novel], [rows] = (longest["exams"][exam]["seeds"] for exam in ("novel", "in-distribution"))
    plain = [seed["hits"] for seed in exams_of("swallowed", "plain")["in-distribution"]["seeds"]]
    assert f"with a million it answers {rows['hits']} of these, where rows as they are reach {listed(plain)}" in text
    assert f"{longest['exams']['spider']['causes'][0]['unknown_name']} of 200 answers after a million tokens" in text
    assert f"after {longest['tokens']:,} tokens {novel['hits']} of the 160" in text


def test_what_reinforcement_gains_is_read_from_results() -> None:
    text = " ".join((ROOT / "docs/experiments.md").read_text("utf-8").split())
    arms = result("reinforcement")["arms"]
    names = {
        "supervised": "golds",
        "reinforced-0.0003": "then reinforcement learning",
        "more-golds": "then more golds instead",
    }
    for arm, name in names.items():
        r = arms[arm]["right"]
        assert f"| {name} | {r['hits']} of {r['n']} | {r['rate']:.1%} | {r['low']:.1%} to {r['high']:.1%} |" in text
    reinforced = arms["reinforced-0.0003"]
    versus = reinforced["against_supervised"]
    assert (
        f"gained {versus['b_only']} questions and lost {versus['a_only']} (McNemar p = {versus['p_value']:.2f})" in text
    )
    minutes = reinforced["training"]["seconds"] / 60
    assert f"{minutes:.0f} minutes for {reinforced['training']['examples']} questions" in text
    assert arms["more-golds"]["training"]["seconds"] < 120


def test_results_hold_no_rows_of_a_data_set() -> None:
    for path in (ROOT / "results").glob("*.json"):
        text = path.read_text("utf-8")
        assert "CREATE TABLE" not in text
        assert "SELECT" not in text


def listed(numbers: list[int]) -> str:
    """As ``1, 2 and 3``."""
    return f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def rate(figure: dict) -> str:
    shares = f"{figure['rate']:.1%}; {figure['low']:.1%} to {figure['high']:.1%}"
    return f"{figure['hits']} of {figure['n']} ({shares})"


def test_the_judges_figures_are_read_from_results() -> None:
    text = (ROOT / "docs/equivalence.md").read_text("utf-8")
    judge = result("judge")
    for name, figures in judge["evaluators"].items():
        assert f"| {name} | {rate(figures['hard'])} | {rate(figures['equal'])} |" in text
    for name, figures in judge["lookups"].items():
        assert f"| {name} | {rate(figures['wrong'])} |" in text
    headline, strict = judge["labelled"]["no_nulls"]["accepted"], judge["labelled"]["open_world"]["accepted"]
    for label, figure in headline.items():
        assert f"| {figure['hits']} | {strict[label]['hits']} |" in text
    for name, figures in result("adequacy").items():
        assert isinstance(figures, str) or f"{figures['golds']:,} of {name} | {figures['mean_score']:.3f}" in text
    for name, figures in result("judge-speed").items():
        rates = isinstance(figures, str) or f"{figures['golds']} of {name} | {figures['pairs_per_second']['median']} |"
        assert rates is True or rates in text
    witnesses = result("witnesses")["witnesses_replayed"]
    assert f"{witnesses['hits']:,} of {witnesses['n']:,} witnesses" in text
    containment = result("containment")
    assert f"{containment['probes']} hostile predictions" in text
    assert f"{containment['most_seconds']:.2f} processor seconds" in text


def test_the_costs_and_what_another_backend_can_do_are_read_from_results() -> None:
    text = (ROOT / "docs/scaling.md").read_text("utf-8")
    scaling = result("scaling")
    columns = ("gflop_per_token", "epoch_pflop", "memory_gb", "cpu_hours_of_an_epoch", "gpu_hours_of_an_epoch")
    for name, model in scaling["models"].items():
        assert f"| {name} | {' | '.join(f'{model[column]:,}' for column in columns)} |" in text
    assert f"{scaling['cpu_tokens_per_second']:.0f} tokens a second" in text
    assert f"{scaling['cpu_gflop_per_second']}\nGFLOP/s" in text or f"{scaling['cpu_gflop_per_second']} GFLOP/s" in text
    trials = result("other-backend")["sdks"]
    for name in trials["0.38.0"]:
        ours, theirs = ("works" if trials[sdk][name]["works"] else "fails" for sdk in ("0.38.0", "0.24.1"))
        assert f"| {name} | {ours} | {theirs} |" in text


def test_the_engine_s_figures_are_read_from_results() -> None:
    text = " ".join((ROOT / "docs/engine.md").read_text("utf-8").split())
    engine = result("engine")
    training, sampling, overhead, start = (engine[part] for part in ("training", "sampling", "overhead", "start"))
    lengths = [sampling["fixed length"], sampling["up to a blank line"]]
    samples = overhead["sample"]
    spreads = [
        *training["ours_against_best_trl"].values(),
        *(length["against_best"]["ratio"] for length in lengths),
        *(samples[how]["overhead_ms"] for how in ("one by one", "all in flight")),
        start["first step begins"],
    ]
    for figure in spreads:
        assert f"{figure['median']} [{figure['low']}, {figure['high']}]" in text
    share = overhead["training"]["share"]
    assert "{median:.1%} [{low:.1%}, {high:.1%}]".format(**share).replace("%", " %") in text
    assert f"{training['share_of_product_rate']:.0%}".replace("%", " %") in text
    assert f"| {lengths[0]['times_generate']} | {lengths[1]['times_generate']} |" in text
    assert f"| {max(e['tokens_per_second'] for e in training['trl'] if e['dtype'] == 'float32')} |" in text
    for part in (training, sampling, overhead):
        assert f"`{part['command']}`" in text
    load = result("load")
    assert f"{load['requests']:,} requests, {load['lost']} lost" in text
    assert f"{load['memory']['slope_mib_per_minute']} MiB a minute" in text
    assert f"`{load['command']}`" in text
