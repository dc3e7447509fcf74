"""From a run folder to its page: the figures, lists and charts that the template shows, in the order of the page."""

import base64
import hashlib
from collections import Counter
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError
from markupsafe import Markup

from tinkersql.errors import RunError
from tinkersql.report import figures, suites, witness, wording
from tinkersql.report.charts import Charts
from tinkersql.report.discussion import discuss
from tinkersql.report.files import RunFiles, read
from tinkersql.report.pairs import of_each_cause, pairs, varied
from tinkersql.tuning import best_of

MAX_SQL = 3000
"""Characters shown of one query, schema or answer; the prediction files hold all of them."""


def build(run_folder: Path) -> Path:
    """Write ``report.html`` into a run folder and return its path.

    The page is one file that loads nothing: styles, charts and the small filter script are inside it. A run that was
    interrupted gets a page of what there is, which says what is missing.

    Raises:
        RunError: The folder is missing, is no run folder, holds a damaged file, or cannot be written.
    """
    target = run_folder / "report.html"
    run = read(run_folder)
    try:
        html = render(run)
    except (AttributeError, KeyError, TypeError, ValueError, UndefinedError) as error:
        raise RunError(
            f"{run_folder}: a file of this run lacks something or is damaged ({error!r}); run again"
        ) from error
    return write(target, html)


def write(target: Path, html: str) -> Path:
    """Write a page: the whole of it, or nothing.

    Raises:
        RunError: The disk refuses.
    """
    draft = target.with_suffix(".html.part")
    try:
        draft.write_text(html, encoding="utf-8")
        draft.replace(target)
    except OSError as error:
        raise RunError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def render(run: RunFiles) -> str:
    """The page's HTML."""
    return fill("page.html", **_context(run))


def fill(template: str, **context: Any) -> str:
    """A page of this package: one file with its styles and script inside, which may load and run nothing else."""
    environment = Environment(
        loader=PackageLoader("tinkersql.report", ""),
        autoescape=True,  # questions, schemas and predictions are hostile input
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(wording, name)
        for name in ("number", "percent", "bounds", "points", "p_value", "duration", "date", "words", "share")
    }
    environment.filters |= {"clip": clip, "witness": witness.view}
    style, script = _asset("style.css"), _asset("filter.js")
    return environment.get_template(template).render(
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'",
        **context,
    )


def _context(run: RunFiles) -> dict[str, Any]:
    charts = Charts()
    result = run.result
    # The questions that were asked again with other names are fewer, and stand in a section of their own.
    evaluations = {key: each for key, each in result.get("evaluations", {}).items() if key != "tuned-renamed"}
    comparisons = result.get("comparisons", [])
    plain = next((test for test in comparisons if (test["a"], test["b"]) == ("base", "tuned")), None)
    claim, support = wording.headline(plain, evaluations)
    kinds = figures.kinds(evaluations)
    causes = figures.causes(evaluations)
    asked = pairs(run.tuned, run.base)
    wrong = [pair for pair in asked if not pair.tuned.matches]
    fixed = [pair for pair in asked if pair.fixed]
    return {
        "wording": wording,
        "name": result.get("name") or run.folder.resolve().name,
        "facts": _facts(run),
        "data": result.get("data", {}),
        "tone": figures.tone,
        "claim": claim,
        "support": support,
        "missing": _missing(run, evaluations),
        "evaluations": evaluations,
        "match_chart": figures.match_chart(charts, evaluations),
        "comparisons": comparisons,
        "bars": {key: figures.verdict_bar(charts, key, each) for key, each in evaluations.items()},
        "training": result.get("training"),
        "curves": figures.curves(charts, run.metrics, run.validations),
        "validations": run.validations,
        "best_validation": best_of(run.validations),
        "kinds": kinds,
        "kind_chart": figures.kind_chart(charts, kinds),
        "small_kinds": any(each["n"] < wording.SMALL_SAMPLE for tallies in kinds.values() for each in tallies.values()),
        "causes": causes,
        "cause_chart": figures.cause_chart(charts, causes),
        "cause_examples": of_each_cause(wrong),
        "memory": result.get("memory"),
        "suites": [suites.view(name, answers) for name, answers in run.suites.items()],
        "discussion": discuss(result, asked),
        "asked": len(run.tuned),
        "wrong": wrong,
        "wrong_verdicts": Counter(pair.tuned.verdict for pair in wrong),
        "wrong_causes": Counter(pair.tuned.cause for pair in wrong if pair.tuned.cause),
        "broken": sum(pair.broken for pair in wrong),
        "fixed_total": len(fixed),
        "fixed": varied(fixed),
        "settings": run.config.get("settings", {}),
        "phases": result.get("phases", []),
        "seconds": result.get("seconds"),
        "peak_memory_mib": result.get("peak_memory_mib"),
        "checkpoints": run.checkpoints,
    }


def _facts(run: RunFiles) -> list[tuple[str, str, list[str]]]:
    """The head's rows: a label, a line of text, and further lines in monospace (hashes, commands)."""
    result, settings = run.result, run.config.get("settings", {})
    model, data, backend = (result.get(key) or {} for key in ("model", "data", "backend"))
    model_name = model.get("name") or settings.get("model", {}).get("value") or "unknown"
    licence = f", licence {model['license']}" if model.get("license") else ""
    sizes = ""
    if data:
        sizes = f": {data.get('examples', 0):,} examples, {data.get('test', 0):,} held out for the test"
        trained = "trained on" if result.get("training") else "training (not finished) on"
        sizes += f", {data.get('train', 0):,} left to train on, {trained} {data.get('trained_on', 0):,}"
    preset = result.get("preset") or run.config.get("preset")
    version = result.get("tinkersql") or run.config.get("tinkersql", "unknown")
    sdk = f", tinker SDK {result['sdk']}" if result.get("sdk") else ""
    took = f", took {wording.duration(result['seconds'])}" if result.get("seconds") else ""
    return [
        ("Date", wording.date(result.get("created", "unknown")) + took, []),
        ("Model", f"{model_name}{licence}", _lines(model.get("source"), sha256=model.get("sha256"))),
        ("Data", f"{data.get('source', 'unknown')}{sizes}", _lines(sha256=data.get("sha256"))),
        ("Backend", backend.get("kind", "unknown"), _lines(model=backend.get("model"))),
        ("Made by", f"tinkersql {version}{sdk}{f', preset {preset}' if preset else ''}", []),
        *([("Estimate", result["cost"]["summary"], [])] if result.get("cost") else []),
        ("Repeat it", "", _lines(result.get("command") or run.config.get("command"))),
    ]


def _lines(text: str | None = None, **named: str | None) -> list[str]:
    return ([text] if text else []) + [f"{name} {value}" for name, value in named.items() if value]


def _missing(run: RunFiles, evaluations: dict[str, Any]) -> str:
    """What an interrupted run lacks, in a sentence or two; "" for a complete run."""
    absent = [wording.label(key).lower() for key in ("base", "tuned") if key not in evaluations]
    if not absent:
        return ""
    text = f"This run is not complete: there is no evaluation of the {' and the '.join(absent)}."
    if run.checkpoints:
        last = run.checkpoints[-1]
        text += f" Its last checkpoint is from step {last.get('step')} ({last.get('kind')})."
    if run.tuned and "tuned" not in evaluations:
        text += f" The tuned model had answered {len(run.tuned)} questions; they are listed, but give no figure."
    return text


def clip(text: str) -> str:
    """The text, or the start of a very long one with a word on how much is left out."""
    if len(text) <= MAX_SQL:
        return text
    return f"{text[:MAX_SQL]} … ({len(text) - MAX_SQL:,} more characters in the prediction file)"


def _asset(name: str) -> str:
    return (package_files("tinkersql.report") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The text's hash as a content security policy names it: nothing else may style the page or run in it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
