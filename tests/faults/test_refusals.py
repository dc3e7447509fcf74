"""What cannot be repeated ends in one line, and what was saved before can be gone on from."""

from collections.abc import Callable
from typing import Any

import pytest
from faulty_proxy import LOST, Answer, Fault, faulty_proxy

from tinkersql.errors import BackendError

DETAIL = {"detail": "no more of this"}
FAILED = Answer(200, {"error": "the accelerator\nhas melted", "category": "server"})


def failure(bench, path: str, fault: Fault, after: Callable[[], None] = lambda: None) -> str:
    """The error of a training that meets this, for ever, once a checkpoint has been saved."""
    saved: list[Any] = []

    def once_saved(asked: str) -> Fault | None:
        if asked == path and saved:
            after()
            return fault
        return None

    with faulty_proxy(bench.engine.base_url, once_saved) as running, pytest.raises(BackendError) as caught:
        bench.train(running.base_url, on_checkpoint=saved.append)
    with bench.engine.client() as service:  # the checkpoint is whole
        service.create_training_client_from_state_with_optimizer(saved[0]["state_path"]).result()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert running.base_url in message
    assert message.endswith("can go on from its last checkpoint")
    return message


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("path", "status"),
    [("forward_backward", 400), ("optim_step", 401), ("save_weights", 404), ("retrieve_future", 401)]
    + [
        pytest.param(path, status, marks=pytest.mark.slow)
        for path in ("forward_backward", "optim_step", "save_weights", "retrieve_future")
        for status in (400, 403, 404, 422)
    ],
)
def test_a_refusal_is_one_line(bench, path: str, status: int) -> None:
    message = failure(bench, path, Answer(status, DETAIL))
    assert str(status) in message
    assert "no more of this" in message


@pytest.mark.usefixtures("clock")
def test_a_failed_request_is_one_line(bench) -> None:
    assert "the accelerator has melted" in failure(bench, "retrieve_future", FAILED)


def test_what_is_submitted_to_nobody_for_minutes_is_one_line(bench, clock) -> None:
    message = failure(bench, "forward_backward", LOST, after=lambda: clock.run(1000))
    assert "is out of reach (connection lost)" in message
    assert clock.now() > 300
