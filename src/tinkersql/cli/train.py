"""``tinkersql train``: fine-tuning alone."""

import json as jsonlib
from typing import Annotated

import typer

from tinkersql.cli.options import ResultOption
from tinkersql.cli.settings import ABOUT_EVALUATION, ResumeOption, Wanted, with_settings
from tinkersql.console import Terminal
from tinkersql.errors import SettingsError


def _train(
    wanted: Wanted,
    *,
    resume: ResumeOption = None,
    more_steps: Annotated[
        int | None,
        typer.Option(help="With --resume: add so many steps to a training that has ended, on its own examples."),
    ] = None,
    json: ResultOption = False,
) -> None:
    """Fine-tune without measuring; --resume goes on where one was stopped, --from starts from the end of another."""
    if more_steps is not None and (resume is None or more_steps < 1):
        raise SettingsError("--more-steps N belongs to --resume RUN, and adds at least 1 step")
    from tinkersql import train as main_path  # imports torch and the SDK: seconds that --help need not wait for
    from tinkersql.tuning.start import inherited

    if resume is not None:
        wanted.check_resume("model")
        model = wanted.given.get("model", "")
        folder, result = main_path.resume(resume, more_steps or 0, Terminal(), wanted.consent(), model)
    else:
        asked = wanted.request(inherited)
        folder, result = main_path.train(asked.resolved, asked.runs, asked.name, Terminal(), wanted.consent())
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
