"""``tinkersql train``: fine-tuning alone."""

import json as jsonlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tinkersql.cli.options import ResultOption
from tinkersql.cli.settings import ABOUT_EVALUATION, ConfigOption, NameOption, PresetOption, RunsOption, with_settings
from tinkersql.config_file import request
from tinkersql.console import Terminal
from tinkersql.errors import SettingsError


def _train(
    given: Mapping[str, Any],
    *,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the run in this folder, exactly where it stopped.")
    ] = None,
    more_steps: Annotated[
        int | None, typer.Option(help="With --resume: add so many steps to a training that has ended.")
    ] = None,
    config: ConfigOption = None,
    preset: PresetOption = None,
    name: NameOption = None,
    runs: RunsOption = None,
    json: ResultOption = False,
) -> None:
    """Fine-tune without measuring; --resume goes on with a training that was stopped."""
    others = {"config": config, "preset": preset, "name": name, "runs": runs}
    if resume is not None and (chosen := [*given, *(key for key, value in others.items() if value is not None)]):
        raise SettingsError(f"--resume goes on with the run's own settings: leave --{chosen[0].replace('_', '-')} out")
    if more_steps is not None and (resume is None or more_steps < 1):
        raise SettingsError("--more-steps N belongs to --resume RUN, and adds at least 1 step")
    from tinkersql.train import go_on, train  # imports torch and the SDK: seconds that --help need not wait for

    if resume is not None:
        folder, result = go_on(resume, more_steps or 0, Terminal())
    else:
        asked = request(config, given, preset, runs, name)
        folder, result = train(asked.resolved, asked.runs, asked.name, Terminal())
    if json:
        print(jsonlib.dumps(result, indent=2, ensure_ascii=False))
    else:
        done = result["training"]
        print(
            f"Trained {done['steps']:,} steps; the loss went from {done['first_loss']:.3f} to {done['final_loss']:.3f}"
        )
        print(f"Run folder {folder.path}")
        print(f"Measure it: tinkersql eval --run {folder.path} --suite novel")


train = with_settings(_train, without=ABOUT_EVALUATION)
