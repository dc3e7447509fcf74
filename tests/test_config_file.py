"""Settings from a TOML file."""

import math
import string
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinkersql.cli.settings import COMMON, OPTIONS, Wanted
from tinkersql.config_file import read_config, request, to_toml
from tinkersql.errors import SettingsError
from tinkersql.settings import Resolved, Settings, resolve
from tinkersql.tuning.cost import Consent


def test_options_come_before_the_file_and_the_file_before_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "exercise.toml"
    file.write_text('preset = "exercise"\nname = "mine"\nrank = 8\nbatch-size = 64\nlearning_rate = 1\nstops = ["x"]\n')
    asked = request(file, {"rank": 4}, None, None, None)
    settings, sources = asked.resolved.settings, asked.resolved.sources
    assert (settings.rank, sources["rank"]) == (4, "--rank")
    assert (settings.batch_size, sources["batch_size"]) == (64, str(file))
    assert (settings.learning_rate, settings.stops) == (1.0, ("x",))
    assert (settings.save_every, sources["save_every"]) == (100, "preset exercise")
    assert (asked.name, asked.runs) == ("mine", Path("runs"))
    assert request(file, {}, "cpu", tmp_path, "other").name == "other"
    assert request(file, {}, "cpu", tmp_path, "other").resolved.preset == "cpu"


def test_local_paths_hold_in_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(**given: str) -> tuple[str, str]:
        settings = request(None, given, None, None, None).resolved.settings
        return settings.data, settings.model

    monkeypatch.chdir(tmp_path)
    (tmp_path / "hub").touch()
    (tmp_path / "ducks.json").touch()
    (tmp_path / "org" / "llama").mkdir(parents=True)
    assert asked(data="ducks.json", model="./org/llama") == (f"{tmp_path}/ducks.json", f"{tmp_path}/org/llama")
    assert asked(data="hub", model="org/other") == ("hub", "org/other")
    assert asked(base_url="http://127.0.0.1:1", model="org/llama") == ("hub", "org/llama"), "a service's name"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("rank = ", "no TOML"),
        ("rnak = 8", "no setting 'rnak'"),
        ("rank = 8.5", "rank must be a whole number, and is 8.5"),
        ("rank = true", "rank must be a whole number, and is True"),
        ("stops = 'x'", "stops must be a list of texts"),
        ("train_unembed = 1", "train_unembed must be true or false"),
        ("[table]\nrank = 8", "no setting 'table'"),
        ("rank = 0", "--rank 0: must be at least 1"),
        ("preset = 'gpu'", "no such preset"),
        ("stop = ['x']\nstops = ['y']", "stops is there twice"),
        ("yes = 1", "yes must be true or false"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=complaint) as caught:
        request(file, {}, None, None, None)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.toml: cannot be read"):
        request(tmp_path / "missing.toml", {}, None, None, None)


def wanted(file: Path, **given: Any) -> Wanted:
    nothing = {"preset": None, "name": None, "runs": None, "yes": False, "spend": None, "prices": None}
    return Wanted(given={}, config=file, **nothing | given)


def test_every_option_of_train_can_stand_in_a_file(tmp_path: Path) -> None:
    for name in {*OPTIONS, *COMMON} - {"config"}:
        option = "from" if name == "start" else name
        file = tmp_path / f"{option}.toml"
        file.write_text(f"{option.replace('_', '-')} = {{}}")  # of no type that any option has
        with pytest.raises(SettingsError, match=" must be "):
            read_config(file)


def test_names_of_options_are_names_of_settings(tmp_path: Path) -> None:
    file = tmp_path / "exercise.toml"
    file.write_text('from = "runs/first"\nstop = ["\\n"]\n')
    assert read_config(file) == {"start": "runs/first", "stops": ("\n",)}


def test_what_may_be_spent_is_read_from_the_file_and_from_options_first(tmp_path: Path) -> None:
    file = tmp_path / "exercise.toml"
    file.write_text('prices = "mine.toml"\nspend = 5\nyes = true\n')
    assert wanted(file).consent() == Consent(5.0, yes=True, prices=Path("mine.toml"))
    assert wanted(file, spend=2.0, prices=Path("a")).consent() == Consent(2.0, yes=True, prices=Path("a"))
    assert "spend" not in wanted(file).request().resolved.to_dict()
    file.write_text("spend = -1")
    with pytest.raises(SettingsError, match="spend -1: must not be negative"):
        wanted(file).consent()
    file.write_text("rank = 4")
    assert wanted(file).consent() == Consent()


# Whatever a command line can hold: any text but surrogates and NUL.
TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0{}"))


@given(
    text=TEXTS, stops=st.lists(TEXTS.filter(bool), max_size=3), rate=st.floats(1e-9, 1e3), size=st.integers(1, 10**9)
)
def test_what_is_written_is_read_back(tmp_path_factory, text: str, stops: list[str], rate: float, size: int) -> None:
    settings = replace(
        Settings(),
        template="{schema}" + text + "{question}",
        stops=tuple(stops),
        learning_rate=rate,
        test_size=size,
    )
    sources = {field.name: f"preset {string.printable}" for field in fields(Settings)}
    file = tmp_path_factory.mktemp("config") / "config.toml"
    file.write_text(to_toml(Resolved(settings, "cpu", sources)), encoding="utf-8")
    again = resolve("cpu", {}, read_config(file), "config.toml").settings
    assert again == settings
    assert not math.isnan(again.learning_rate)
