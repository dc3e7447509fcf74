"""The page in a real browser: it loads nothing, runs nothing hostile, fits a phone, and can be filtered."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from run_folders import make_run

from tinkersql.report import build

pytestmark = pytest.mark.slow

_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_RUNS = {
    "complete": {},
    "hostile": {"hostile": True, "questions": 40, "long_sql": 5000},
    "interrupted": {"interrupted": True},
    "one step": {"steps": 1, "questions": 12},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("runs")
    return {name: build(make_run(root / name, **options).folder).as_uri() for name, options in _RUNS.items()}


def open_page(
    browser: Browser, address: str, width: int, scheme: str = "light", script: bool = True
) -> tuple[Page, list]:
    """The opened page and the list of its complaints: console messages, errors, and requests beyond itself."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=script,
    )
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: request.url in (address, "data:,") or complaints.append(request.url))
    page.goto(address)
    return page, complaints


@pytest.mark.parametrize("name", _RUNS)
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_loads_nothing_and_runs_nothing_hostile(
    browser: Browser, pages: dict[str, str], name: str, width: int, scheme: str
) -> None:
    page, complaints = open_page(browser, pages[name], width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("window.hacked === undefined")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(22, 24, 26)" if scheme == "dark" else "rgb(251, 250, 247)")
    assert complaints == []


def test_wrong_predictions_open_and_filter(browser: Browser, pages: dict[str, str]) -> None:
    page, complaints = open_page(browser, pages["complete"], 1280)
    items = page.locator("#wrong-list > details")
    total = items.count()
    first = items.first
    assert not first.locator(".pair").is_visible()
    first.locator("> summary").click()
    assert first.locator(".pair").is_visible()

    page.check("#filter-broken")
    broken = page.locator("#wrong-list > details:visible")
    assert 0 < broken.count() < total
    assert broken.count() == page.locator('#wrong-list > details[data-broken="yes"]').count()
    page.uncheck("#filter-broken")
    page.select_option("#filter-verdict", "prediction_error")
    assert broken.count() == page.locator('#wrong-list > details[data-verdict="prediction_error"]').count()
    page.fill("#filter-text", "no such words anywhere")
    assert page.locator("#filter-shown").inner_text() == f"0 of {total} shown"
    assert complaints == []


def test_everything_is_readable_without_scripts(browser: Browser, pages: dict[str, str]) -> None:
    page, _ = open_page(browser, pages["complete"], 1280, script=False)
    assert not page.locator("#filter").is_visible()
    item = page.locator("#wrong-list > details").first
    item.locator("> summary").click()
    assert item.locator(".pair").is_visible()


def test_wide_things_scroll_inside_their_box(browser: Browser, tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", questions=60)
    for line in (made.folder / "predictions-tuned.jsonl", made.folder / "predictions-base.jsonl"):
        line.write_text(line.read_text().replace("Name 1", "Name " + "wide" * 60))
    page, _ = open_page(browser, build(made.folder).as_uri(), 360)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    widest = "Math.max(...[...document.querySelectorAll('.wide')].map((box) => box.scrollWidth - box.clientWidth))"
    assert page.evaluate(widest) > 0


def test_prints_in_light_colours_without_controls(browser: Browser, pages: dict[str, str]) -> None:
    page, _ = open_page(browser, pages["complete"], 1280, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("#filter").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.pdf()[:5] == b"%PDF-"
