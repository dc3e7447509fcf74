"""``tinkersql train``: fine-tuning alone."""

import json as jsonlib
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from tinkersql.cli.options import ResultOption
from tinkersql.cli.settings import (
    ABOUT_EVALUATION,
    ConfigOption,
    NameOption,
    PresetOption,
    PricesOption,
    ResumeOption,
    RunsOption,
    SpendOption,
    YesOption,
    alone,
    with_settings,
)
from tinkersql.config_file import request
from tinkersql.console import Terminal
from tinkersql.errors import SettingsError


def _train(
    given: Mapping[str, Any],
    *,
    resume: ResumeOption = None,
    more_steps: Annotated[
        int | None, typer.Option(help="With --resume: add so many steps to a training that has ended.")
    ] = None,
    config: ConfigOption = None,
    preset: PresetOption = None,
    name: NameOption = None,
    runs: RunsOption = None,
    yes: YesOption = False,
    spend: SpendOption = 1.0,
    prices: PricesOption = None,
    json: ResultOption = False,
) -> None:
    """Fine-tune without measuring; --resume goes on where one was stopped, --from starts from the end of another."""
    alone(resume, given, config=config, preset=preset, runs=runs, name=name)
    if more_steps is not None and (resume is None or more_steps < 1):
        raise SettingsError("--more-steps N belongs to --resume RUN, and adds at least 1 step")
    from tinkersql import train as main_path  # imports torch and the SDK: seconds that --help need not wait for
    from tinkersql.tuning.cost import Consent
    from tinkersql.tuning.start import inherited

    if resume is not None:
        folder, result = main_path.resume(resume, more_steps or 0, Terminal())
    else:
        asked = request(config, given, preset, runs, name, inherited)
        folder, result = main_path.train(
            asked.resolved, asked.runs, asked.name, Terminal(), Consent(spend, yes, prices)
        )
    if json:
        print(jsonlib.dumps(result, indent=2, ensure_ascii=False))
    else:
        done = result["training"]
        what = "loss" if done["first_reward"] is None else "reward"
        first, final = done[f"first_{what}"], done[f"final_{what}"]
        print(f"Trained {done['steps']:,} steps; the {what} went from {first:.3f} to {final:.3f}")
        print(f"Run folder {folder.path}")
        print(f"Measure it: tinkersql eval --run {folder.path} --suite novel")


train = with_settings(_train, without=ABOUT_EVALUATION)
