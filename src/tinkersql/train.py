"""Fine-tune, or go on with a fine-tuning that was stopped: `tinkersql train`, from top to bottom."""

import shlex
import time
from pathlib import Path
from typing import Any

from tinkersql import backend as backends
from tinkersql import report
from tinkersql.backend import Backend
from tinkersql.console import Reporter
from tinkersql.errors import RunError
from tinkersql.runs import RunFolder, made, now
from tinkersql.settings import Resolved
from tinkersql.tuning import Sitting, Start, begin, check_monitors, gather, introduce
from tinkersql.tuning import resume as resume_training
from tinkersql.tuning.cost import Consent, compare, expect


def train(
    resolved: Resolved, runs: Path, name: str, reporter: Reporter, consent: Consent
) -> tuple[RunFolder, dict[str, Any]]:
    """Read, split and change the data, and train on it.

    Args:
        resolved: The settings and where they come from.
        runs: The folder that holds run folders.
        name: This run's folder in it.
        reporter: Shows what goes on.
        consent: What the user has agreed to beforehand.

    Returns:
        The run folder, and what its ``result.json`` holds.

    Raises:
        TinkersqlError: Whatever a user can mend; a training that has begun can be resumed.
        Interrupted: Ctrl-C, after a checkpoint has been saved.
    """
    settings = resolved.settings
    backends.check(settings)
    check_monitors(settings)
    RunFolder.check(runs, name)
    origin = Path(settings.start)
    start = Start.of(origin, settings) if settings.start else None
    created, started = now(), time.monotonic()
    material = gather(settings, reporter)
    introduce(resolved, material.facts, reporter)
    folder = RunFolder.create(runs, name)
    with folder.locked():
        try:
            folder.write_config(resolved)
            if start and settings.backend == "embedded":
                start.bring(origin, folder.store)
            with backends.connect(settings, folder.store, reporter) as backend, backend.service() as service:
                sitting = begin(folder, material, settings, backend, service, reporter, start)
                result = {"name": name, **made(created, started), "preset": resolved.preset, "data": material.facts}
                folder.write_result(result)
                return folder, _go_on(folder, sitting, result, started, backend, consent, reporter)
        except BaseException:
            if not folder.rows("metrics.jsonl"):
                folder.discard()  # a run without a step leaves nothing behind
            raise


def resume(
    path: Path, more_steps: int, reporter: Reporter, consent: Consent, model: str = ""
) -> tuple[RunFolder, dict[str, Any]]:
    """Resume the training of a run from its last checkpoint, or extend one that has ended.

    Args:
        path: The run folder.
        more_steps: How many steps to add to a training that has ended.
        reporter: Shows what goes on.
        consent: What the user has agreed to beforehand.
        model: Where its base model lies now; empty: where it lay.

    Raises:
        TinkersqlError: Whatever a user can mend; the training can be resumed again.
        Interrupted: Ctrl-C, after a checkpoint has been saved.
    """
    folder = RunFolder.open(path)
    folder.refuse_sweep()
    with folder.locked():
        settings = folder.read_settings(model)
        backends.check(settings)
        check_monitors(settings)
        started = time.monotonic()
        with backends.connect(settings, folder.store, reporter) as backend, backend.service() as service:
            sitting = resume_training(folder, settings, backend, service, reporter)
            if sitting.ended_at is not None and not more_steps:
                raise RunError(f"{path}: its training has come to its end; --more-steps N adds steps to it")
            if more_steps:
                if sitting.ended_at is None:
                    raise RunError(f"{path}: its training has not ended; resume it without --more-steps first")
                sitting.extend(more_steps, reporter)
            before = folder.read_result()
            result = made(now(), started) | before  # when and by which command it was begun stays
            # A sitting that was stopped has left no more than the time of its steps.
            started -= max(before.get("seconds", 0.0), sitting.elapsed)
            return folder, _go_on(folder, sitting, result, started, backend, consent, reporter)


def _go_on(
    folder: RunFolder,
    sitting: Sitting,
    result: dict[str, Any],
    started: float,
    backend: Backend,
    consent: Consent,
    reporter: Reporter,
) -> dict[str, Any]:
    """Estimate what is left, train to the end, and keep what came of it; all of it began at ``started``."""
    left = {"held_out": sitting.held_out, "done": len(sitting.done), "elapsed": sitting.elapsed}
    expected = expect(backend, sitting.plan, consent, reporter, **left)
    reporter.heading("Training")
    try:
        training = sitting.train(reporter)
        result, away = folder.put_away_evaluations(result)
        if away:
            reporter.say(
                f"  What was measured of the old weights lies in {away}; tinkersql run --resume measures the new ones"
            )
        result |= {
            "backend": {"kind": backend.kind, "model": backend.model},
            "model": dict(backend.provenance),
            "training": training.to_dict(),
            "cost": compare(expected, training, sitting.done),
            "finished": now(),
            "seconds": time.monotonic() - started,
        }
        folder.write_result(result)  # before the end is noted, after which no training would write it
        result["checkpoint"] = sitting.finish(training, reporter)
    except BaseException:
        if folder.rows("metrics.jsonl"):
            command = shlex.join(["tinkersql", "train", "--resume", str(folder.path)])
            reporter.say(f"What was trained until then stays; go on with: {command}")
        raise
    result["data"] = result.get("data", {}) | {"trained_on": len(sitting.trained())}
    result |= {"finished": now(), "seconds": time.monotonic() - started}
    folder.write_result(result)
    report.build(folder.path)
    return result
