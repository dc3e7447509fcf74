"""A minute of the load of ``benchmarks/load.py``."""

from pathlib import Path

import load
import pytest

from server_process import running_server


@pytest.mark.slow
def test_a_minute_of_mixed_load_loses_nothing_and_does_not_grow(tiny_model: Path, tmp_path: Path) -> None:
    with running_server(tiny_model, tmp_path / "store") as server:
        found = load.measure(server, 60)
        assert (found["lost"], found["stuck_clients"]) == (0, 0), found["losses"]
        assert set(found["by_kind"]) == {
            *("create_model", "delete", "forward_backward", "optim_step", "sample", "save_state", "snapshot")
        }
        memory = found["memory"]
        assert memory["mib_at_the_end"] - memory["mib_after_warm_up"] < 64
        # Nobody is left, and nothing of theirs but the checkpoints that they did not delete.
        assert server.http.get("sessions").json() == {"sessions": []}
        assert list((server.store / ".sessions").iterdir()) == []
        assert len(server.http.get("checkpoints").json()["checkpoints"]) == 4
    assert list(server.store.rglob(".*~*")) == []
