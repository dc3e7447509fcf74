"""Whatever the network and the service do to a training, it gives what an undisturbed one gives, to the last bit."""

from dataclasses import replace

import pytest
from faulty_proxy import ANSWER_LOST, FAULTS, LOST, Fault, faulty_proxy, seeded

STEPS = 8


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in ("502", "503") else []) for name in FAULTS]
)
def test_each_fault_changes_nothing(bench, undisturbed, name: str) -> None:
    with faulty_proxy(bench.engine.base_url, seeded(1, 0.3, [FAULTS[name]])) as running:
        assert bench.train(running.base_url) == undisturbed
    assert running.proxy.done[FAULTS[name]] > 5


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("seed", [1, 2, 3, *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 40))])
def test_all_faults_together_change_nothing(bench, undisturbed, seed: int) -> None:
    with faulty_proxy(bench.engine.base_url, seeded(seed, 0.4)) as running:
        assert bench.train(running.base_url) == undisturbed
    assert running.proxy.done.total() - running.proxy.done[None] > 10


def test_an_hour_without_service_changes_nothing(bench, undisturbed, clock, start_engine, tmp_path) -> None:
    hour: list[float] = []

    def from_the_last_step_on(path: str) -> Fault | None:
        """Results of the last step are lost on their way; once it is submitted, nothing gets through for an hour."""
        if running.proxy.delivered["optim_step"] < STEPS:
            last = running.proxy.delivered["forward_backward"] == STEPS
            return ANSWER_LOST if path == "retrieve_future" and last else None
        if not hour:
            hour.append(clock.now() + 3600)
            clock.run(1800)
        if clock.now() < hour[0]:
            return LOST
        clock.run(1)
        return None

    # This engine is started under the clock, so that an hour passes for it, too.
    with (
        start_engine(tmp_path, poll_seconds=0.1) as engine,
        faulty_proxy(engine.base_url, from_the_last_step_on) as running,
    ):
        assert replace(bench, engine=engine).train(running.base_url) == undisturbed
    assert running.proxy.done[LOST] > 60
