"""Who waits is told what for, and Ctrl-C acts meanwhile."""

import os
import signal
import threading
from collections.abc import Callable

import pytest
from faulty_proxy import Answer, Fault, faulty_proxy

from tinkersql import waiting
from tinkersql.console import Silent

pytestmark = pytest.mark.usefixtures("clock")


def paused(**reason: str) -> Answer:
    return Answer(408, {"type": "try_again", "request_id": "x", "queue_state": "paused_capacity", **reason})


class Told(Silent):
    """Keeps the notices, and does something at the first that says this."""

    def __init__(self, reason: str, then: Callable[[], object] = lambda: None) -> None:
        self.notices: list[str] = []
        self.seen = False
        self._reason, self._then = reason, then

    def waiting(self, text: str) -> None:
        self.notices.append(text)
        if self._reason in text and not self.seen:
            self.seen = True
            self._then()


@pytest.fixture(autouse=True)
def impatience(monkeypatch) -> None:
    monkeypatch.setattr(waiting, "QUIET_SECONDS", 0.3)
    monkeypatch.setattr(waiting, "LONG_SECONDS", 0.8)
    monkeypatch.setattr(waiting, "TICK_SECONDS", 0.05)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (paused(), "running short on capacity"),
        (paused(queue_state_reason="the cluster is full"), "the cluster is full"),
        (Answer(408, {"type": "try_again", "request_id": "x", "queue_state": "active"}), "it is still at work"),
        (Answer(429), "HTTP 429"),
        (Answer(503), "HTTP 503"),
        (Answer(402, {"detail": "no money"}), "paused due to billing status"),
    ],
)
def test_a_notice_says_why(bench, undisturbed, answer: Answer, reason: str) -> None:
    told = Told(reason)

    def until_told(path: str) -> Fault | None:
        return (
            answer
            if path == "retrieve_future" and not told.seen and running.proxy.delivered["optim_step"] > 1
            else None
        )

    with faulty_proxy(bench.engine.base_url, until_told) as running:
        assert bench.train(running.base_url, told) == undisturbed
    assert told.seen
    assert all(not notice or notice.startswith("waiting for the service (") for notice in told.notices)
    assert told.notices[-1] == ""


def test_a_service_that_is_away_is_waited_for(bench, undisturbed) -> None:
    def away(path: str) -> Fault | None:
        if path == "retrieve_future" and running.proxy.delivered["optim_step"] == 2 and not told.seen:
            running.leave()
            return "lost on the way"
        return None

    with faulty_proxy(bench.engine.base_url, away) as running:
        told = Told("connection refused", running.come_back)
        assert bench.train(running.base_url, told) == undisturbed
    assert told.seen


def test_questions_wait_aloud(bench) -> None:
    told = Told("the cluster is full")
    answer = paused(queue_state_reason="the cluster is full")
    with faulty_proxy(
        bench.engine.base_url, lambda path: answer if "retrieve" in path and not told.seen else None
    ) as it:
        assert bench.ask(it.base_url, told) == bench.ask(bench.engine.base_url)
    assert told.seen


@pytest.mark.parametrize(("work", "times"), [("ask", 1), ("train", 2)])
def test_ctrl_c_acts_while_nothing_comes(bench, work: str, times: int) -> None:
    def press() -> None:
        for number in range(times):
            threading.Timer(0.2 * (number + 1), os.kill, (os.getpid(), signal.SIGINT)).start()

    def stalled(path: str) -> Fault | None:
        begun = running.proxy.delivered["asample"] or running.proxy.delivered["optim_step"]
        return paused() if path == "retrieve_future" and begun else None

    with faulty_proxy(bench.engine.base_url, stalled) as running, pytest.raises(KeyboardInterrupt):
        getattr(bench, work)(running.base_url, Told("waiting", press))
