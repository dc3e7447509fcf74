"""Questions to a model get the same greedy answers whatever goes wrong on the way."""

import pytest
from faulty_proxy import faulty_proxy, seeded


@pytest.fixture(scope="module")
def expected(bench):
    return bench.ask(bench.engine.base_url)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 20))])
def test_faults_change_no_answer(bench, expected, seed: int) -> None:
    with faulty_proxy(bench.engine.base_url, seeded(seed, 0.4)) as running:
        assert bench.ask(running.base_url) == expected
    assert running.proxy.done.total() - running.proxy.done[None] > 3
