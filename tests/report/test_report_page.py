"""The page as HTML: everything that must stand on it does, and nothing hostile gets through."""

import base64
import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from parsed_page import SECTIONS, ParsedPage
from run_folders import HOSTILE, Made, make_run

from tinkersql.errors import RunError
from tinkersql.evaluation import interval, tally
from tinkersql.report import build

VARIANTS = {
    "complete": {},
    "all right": {"all_right": True, "questions": 20},
    "interrupted": {"interrupted": True},
    "hostile": {"hostile": True, "questions": 40},
    "one step, few questions": {"steps": 1, "questions": 12, "built_in": True},
    "large suite": {"questions": 40, "novel": 60},
    "old": {"questions": 40, "old": True},
}


def page_of(made: Made) -> ParsedPage:
    path = build(made.folder)
    assert path == made.folder / "report.html"
    return ParsedPage(path.read_text(encoding="utf-8"))


@pytest.fixture
def complete(tmp_path: Path) -> tuple[Made, ParsedPage]:
    made = make_run(tmp_path / "run")
    return made, page_of(made)


@pytest.mark.parametrize("variant", VARIANTS)
def test_is_self_contained_and_well_formed(variant: str, tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", **VARIANTS[variant]))

    assert len(page.ids) == len(set(page.ids))
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    for tag, attributes in page.tags:
        assert "src" not in attributes
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        if "href" in attributes:
            href = attributes["href"] or ""
            assert href == "data:," if tag == "link" else href.removeprefix("#") in page.ids
        if tag == "svg" and "role" in attributes:
            assert set((attributes["aria-labelledby"] or "").split()) <= set(page.ids)
    assert not re.search(r"url\(|@import|https?:", page.raw["style"][0] + page.raw["script"][0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_the_pages_own_style_and_script_may_work(variant: str, tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", **VARIANTS[variant]))
    policy = next(attrs["content"] for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")

    assert page.raw["script"] == [(files("tinkersql.report") / "filter.js").read_text(encoding="utf-8")]
    assert "default-src 'none'" in (policy or "")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.raw[kind][0].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in (policy or "")


def test_head_names_what_the_run_was_made_of(complete: tuple[Made, ParsedPage]) -> None:
    made, page = complete
    head = page.text["header"]
    for fact in ("name", "command"):
        assert made.result[fact] in head
    for part in ("model", "data"):
        assert made.result[part]["source"] in head
        assert made.result[part]["sha256"] in head
    assert "4 May 2026, 10:12 UTC" in head
    assert "79,034 examples, 200 held out for the test, 78,834 left to train on, trained on 1,600" in head


def test_figures_before_and_after_come_with_sample_and_interval(complete: tuple[Made, ParsedPage]) -> None:
    made, page = complete
    section = page.text["section matches"].replace("\N{NO-BREAK SPACE}", " ")
    for key, figures in made.result["evaluations"].items():
        if key == "tuned-renamed":  # other questions
            continue
        assert f"{figures['matches']} of 200 questions" in section
        assert f"{100 * figures['rate']:.1f} %" in section
        assert "10.0 to 90.0 %, on 4 sets of tables" in section  # not the plain interval, as if all were unrelated
        assert f"{100 * figures['low']:.1f} to {100 * figures['high']:.1f} %" not in section
    for test in made.result["comparisons"]:
        assert f"got {test['b_only']} right" in section
        assert f"{test['a_only']} wrong" in section
    assert section.count("exact McNemar test") == 2


def test_verdicts_and_kinds_are_counted(complete: tuple[Made, ParsedPage]) -> None:
    made, page = complete
    verdicts, kinds = page.text["section verdicts"], page.text["section kinds"]
    evaluations = [made.result["evaluations"][key] for key in ("base", "base-3-shot", "tuned")]
    for verdict in ("match", "different", "undecided", "prediction_error"):
        counts = " ".join(str(figures["verdicts"][verdict]) for figures in evaluations)
        assert f"{verdict.replace('_', ' ')} {counts}" in verdicts
    assert f"empty answer {' '.join(str(figures['empty']) for figures in evaluations)}" in verdicts
    for kind, figures in made.result["evaluations"]["tuned"]["by_kind"].items():
        before = made.result["evaluations"]["base"]["by_kind"][kind]["matches"]
        assert f"{before} → {figures['matches']} of {figures['n']}" in kinds
    assert "small sample" in kinds


@pytest.mark.parametrize("variant", ["complete", "hostile", "one step, few questions"])
def test_every_wrong_prediction_is_listed_with_its_evidence(variant: str, tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", **VARIANTS[variant])
    page = page_of(made)
    base = made.predictions["base"]
    wrong = made.wrong()
    assert wrong
    assert sum(name.startswith("wrong-") and name != "wrong-list" for name in page.ids) == len(wrong)
    for line in wrong:
        item = page.text[f"wrong-{line['index'] + 1}"]
        for expected in (line["question"], line["schema"], *line["golds"], line["predicted"], line["reason"]):
            assert shown(expected) in item
        assert line["verdict"].replace("_", " ") in item
        assert ("broken by training" in item) == (base[line["index"]]["verdict"] == "match")
        if line["witness"]:
            assert line["witness"]["script"] in item
            for row in line["witness"]["gold_result"]["rows"]:
                assert all(("NULL" if cell is None else str(cell)) in item for cell in row)


def shown(text: str) -> str:
    """How the page writes a text with characters that no page can carry."""
    return text.replace("\u202e", "[U+202E]").replace("\ud800", "\ufffd").replace("\0", "\u2400")


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", **VARIANTS["hostile"]))
    assert shown(HOSTILE) in page.text[""]
    assert {tag for tag, _ in page.tags}.isdisjoint({"img", "iframe", "object", "form", "base"})


@pytest.mark.parametrize("old", [False, True])
def test_a_few_novel_questions_are_counted_without_a_percentage(old: bool, tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", questions=20, old=old)
    page = page_of(made)
    section, suite = page.text["section novel"], "novel" if old else "exercise"
    assert "base 1 of 5, tuned 3 of 5" in section
    assert "%" not in section
    for number in range(5):
        base, tuned = (made.predictions[f"{suite}-{key}"][number] for key in ("base", "tuned"))
        article = page.text[f"suite-{suite}-{number + 1}"]
        for expected in (tuned["question"], tuned["schema"], *tuned["golds"], base["predicted"], tuned["predicted"]):
            assert expected in article


def tally_of_rows(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return tally([row["verdict"] == "match" for row in rows], [row["schema"] for row in rows])


def test_many_novel_questions_are_summed_up_by_difficulty_and_skill(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", questions=20, novel=60)
    page = page_of(made)
    section = page.text["section novel"].replace("\N{NO-BREAK SPACE}", " ")
    wider = []
    for key in ("base", "tuned"):
        figures = made.result["suites"]["novel"][key]
        low, high = interval(tally_of_rows(made.predictions[f"novel-{key}"]))
        share = f"{100 * figures['rate']:.1f} %; {100 * low:.1f} to {100 * high:.1f} %"
        assert f"{figures['matches']} of 60 ({share})" in section
        wider.append(high - low > figures["high"] - figures["low"])
    assert any(wider)
    hard = [row["verdict"] == "match" for row in made.predictions["novel-tuned"] if row["difficulty"] == "hard"]
    assert f"{sum(hard)}{100 * sum(hard) / 12:.1f} % (" in section.replace(" ", " ")
    assert "hard small sample 12" in section
    assert "filter 60" in section
    wrong = [row["index"] + 1 for row in made.predictions["novel-tuned"] if row["verdict"] != "match"]
    assert [name for name in page.ids if re.fullmatch(r"suite-novel-\d+", name)] == [
        f"suite-novel-{number}" for number in wrong
    ]


def test_causes_are_counted_with_intervals_and_examples(complete: tuple[Made, ParsedPage]) -> None:
    made, page = complete
    section = page.text["section failures"].replace("\N{NO-BREAK SPACE}", " ")
    for figures in (made.result["evaluations"][key] for key in ("base", "base-3-shot", "tuned")):
        for number in figures["causes"].values():
            assert f"{number}{100 * number / 200:.1f} % (" in section
    total = made.result["evaluations"]["tuned"]["causes"]["wrong_column"]
    assert f"Wrong column: 2 of {total} of the tuned model" in section
    first = next(row for row in made.wrong() if row["cause"] == "wrong_column")
    assert first["question"] in section
    assert first["predicted"] in section
    for row in made.wrong():
        tag = next(attrs for _, attrs in page.tags if attrs.get("id") == f"wrong-{row['index'] + 1}")
        assert tag["data-cause"] == row["cause"]
        assert row["cause"].replace("_", " ").replace("sql", "SQL") in page.text[f"wrong-{row['index'] + 1}"]


def test_memory_and_the_discussion_are_figures_of_this_run(complete: tuple[Made, ParsedPage]) -> None:
    made, page = complete
    memory, result = page.text["section memory"].replace("\N{NO-BREAK SPACE}", " "), made.result
    for name in ("seen", "unseen", "copies"):
        figures = result["memory"][name]
        assert f"{figures['n']} {figures['matches']} {100 * figures['rate']:.1f} % (" in memory
    assert "tables and columns renamed 100" in memory
    copied = result["memory"]["copied"]
    share = f"4 of 200 (2.0 %; {100 * copied['low']:.1f} to {100 * copied['high']:.1f} %)"
    assert f"Of all answers {share} are copied" in memory
    discussion = page.text["section discussion"].replace("\N{NO-BREAK SPACE}", " ")
    queries = 200 - result["evaluations"]["tuned"]["causes"]["not_sql"]
    assert f"{queries} of 200 (" in discussion
    assert "10.0 points" in discussion
    assert f"Copied word for word from training: {share}; " in discussion
    assert "clearly costs answers" in discussion
    assert "retrieval" not in discussion
    assert "How many questions show a difference of 5 points?" in discussion


def test_retrieval_is_discussed_where_it_was_measured(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", questions=20)
    made.result["evaluations"]["retrieval-nearest"] = made.result["evaluations"]["tuned"]
    (made.folder / "result.json").write_text(json.dumps(made.result))
    discussion = page_of(made).text["section discussion"]
    assert "Where would retrieval do as well?" in discussion
    assert "“Retrieval nearest” answers" in discussion


def test_an_old_run_says_what_was_not_recorded(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", questions=40, old=True))
    assert "There are no wrong answers with a known cause." in page.text["section failures"]
    assert "This was not measured." in page.text["section memory"]


def test_settings_phases_and_curves_are_there(complete: tuple[Made, ParsedPage]) -> None:
    made, page = complete
    for setting, entry in json.loads((made.folder / "config.json").read_text())["settings"].items():
        assert setting in page.text["section settings"]
        assert entry["source"] in page.text["section settings"]
    for phase in made.result["phases"]:
        assert phase["name"] in page.text["section time"]
    assert "196.7" in page.text["section time"]
    assert "2.05 GiB" in page.text["section time"]
    assert sum(tag == "polyline" for tag, _ in page.tags) == 2
    assert "training step" in page.text["section training"]


def test_validations_stand_over_the_loss_and_in_a_table(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run")
    losses = {10: 1.25, 20: 0.5, 30: float("nan"), 40: 0.75}
    rows = [
        {"step": step, "loss": loss, "n": 64, "right": step // 2, "n_questions": 24, "seconds": 2.0}
        for step, loss in losses.items()
    ]
    (made.folder / "validations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made.result["training"]["validation"] = {"stopped_early": True, "result": "best", "best": rows[1]}
    (made.folder / "result.json").write_text(json.dumps(made.result))
    page = page_of(made)
    training = page.text["section training"]
    assert (
        "The lowest validation loss was 0.5, at step 20. Training stopped early, because it fell no further. "
        "The tuned model has the best weights, those of step 20."
    ) in training
    assert "Measured on 64 held-out rows" in training
    assert "10 of 24" in training
    dots = [attributes for tag, attributes in page.tags if tag == "circle" and attributes["class"] == "dot shots"]
    assert len(dots) >= 3
    assert sum(tag == "polyline" for tag, _ in page.tags) == 3


def test_an_interrupted_run_says_so(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", interrupted=True))
    assert "This run ended before the tuned model was evaluated" in page.text[""]
    assert (
        "there is no evaluation of the tuned model. Its last checkpoint is from step 50 (interrupted)" in page.text[""]
    )
    assert "The tuned model was not asked." in page.text["section wrong"]
    assert "Base model" in page.text["section matches"]


def test_a_run_with_nothing_but_its_settings_gets_a_page(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", interrupted=True)
    for path in made.folder.iterdir():
        if path.name != "config.json":
            path.unlink()
    page = page_of(made)
    assert "no evaluation of the base model and the tuned model" in page.text[""]
    assert made.result["command"] in page.text[""]
    assert "No training step was logged." in page.text[""]


def test_a_tuned_evaluation_cut_short_lists_its_answers_but_gives_no_figure(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", questions=20)
    del made.result["evaluations"]["tuned"]
    made.result["comparisons"] = []
    (made.folder / "result.json").write_text(json.dumps(made.result))
    predictions = made.folder / "predictions-tuned.jsonl"
    predictions.write_text("".join(predictions.read_text().splitlines(keepends=True)[:7]) + '{"index": 7, "que')
    page = page_of(made)
    assert "had answered 7 questions; they are listed, but give no figure" in page.text[""]


def test_a_run_without_mistakes_says_so(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", all_right=True, questions=20)
    assert "None: all 20 predictions of the tuned model matched." in page_of(made).text["section wrong"]


def test_small_and_built_in_are_called_so(tmp_path: Path) -> None:
    page = page_of(make_run(tmp_path / "run", **VARIANTS["one step, few questions"]))
    assert page.text["section matches"].count("small sample") == 3
    assert "built-in data is no benchmark." in page.text["section notes"]
    assert "in 1 step: the loss was" in page.text["section training"]


def test_page_stays_light_and_long_queries_are_cut_with_a_word(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", long_sql=20_000)
    page = page_of(made)
    assert (made.folder / "report.html").stat().st_size < 2_000_000
    line = made.wrong()[0]
    assert "more characters in the prediction file" in page.text[f"wrong-{line['index'] + 1}"]


def test_building_again_gives_the_same_page(complete: tuple[Made, ParsedPage]) -> None:
    made, _ = complete
    before = (made.folder / "report.html").read_bytes()
    assert build(made.folder).read_bytes() == before
    assert not list(made.folder.glob("*.part"))


def test_errors_are_one_line_and_name_the_file(tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", questions=5)

    def message(folder: Path) -> str:
        with pytest.raises(RunError) as caught:
            build(folder)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no such run folder" in message(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "not a run folder" in message(tmp_path / "empty")
    (tmp_path / "empty" / "result.json").write_text('{"questions": {"source": "suite novel"}, "evaluations": {}}')
    assert "an evaluation has no page" in message(tmp_path / "empty")
    lines = (made.folder / "metrics.jsonl").read_text()
    (made.folder / "metrics.jsonl").write_text('{"step": 1\n' + lines)
    assert "metrics.jsonl, line 1: not valid JSON" in message(made.folder)
    (made.folder / "metrics.jsonl").write_text("[1]\n")
    assert "metrics.jsonl, line 1: a JSON object is expected" in message(made.folder)
    (made.folder / "metrics.jsonl").write_text(lines)
    (made.folder / "report.html").mkdir()
    assert "report.html: cannot be written" in message(made.folder)
    (made.folder / "result.json").write_text('{"evaluations": {"base": {}}}')
    assert "lacks something or is damaged" in message(made.folder)
    (made.folder / "result.json").write_text("{")
    assert "result.json: not valid JSON" in message(made.folder)


def test_colours_have_enough_contrast() -> None:
    style = (files("tinkersql.report") / "style.css").read_text(encoding="utf-8")
    palettes = re.findall(r":root \{([^}]*--ink[^}]*)\}", style)
    assert len(palettes) == 2
    for palette in palettes:
        colours = dict(re.findall(r"--([\w-]+): (#\w{6});", palette))
        grounds = ("paper", "raised", "sunk")
        texts = [(ink, ground) for ink in ("ink", "quiet", "link") for ground in grounds]
        texts += [
            ("good-ink", "good"),
            ("bad-ink", "bad"),
            ("bad-ink", "raised"),
            ("broken-ink", "broken"),
            ("ink", "broken"),
        ]
        for ink, ground in texts:
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        for mark in ("base", "shots", "tuned", "match", "different", "undecided", "prediction_error", "gold_error"):
            assert contrast(colours[mark], colours["paper"]) >= 3, mark


def contrast(one: str, two: str) -> float:
    """The contrast ratio of WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(two)))
    return (light + 0.05) / (dark + 0.05)
