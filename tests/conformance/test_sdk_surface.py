"""docs/engine.md's tables against the SDK, and the parts of the clients that no other test uses."""

import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tinker
from tinker import types

if TYPE_CHECKING:
    from conftest import RunningEngine

CLIENTS = (tinker.ServiceClient, tinker.TrainingClient, tinker.SamplingClient, tinker.RestClient)
DOCUMENT = (Path(__file__).parents[2] / "docs" / "engine.md").read_text(encoding="utf-8")
GREEDY = types.SamplingParams(max_tokens=6, temperature=0.0)
PROMPT = types.ModelInput.from_ints([5, 6, 7])


def methods(client: type) -> set[str]:
    """A client's public methods; the ``_async`` twin of a method belongs to it."""
    names = {name for name in dir(client) if not name.startswith("_")}
    return {name for name in names if not (name.endswith("_async") and name.removesuffix("_async") in names)}


def documented(client: type) -> list[str]:
    """What stands in the first column of the client's table."""
    table = DOCUMENT.split(f"| `{client.__name__}` | |\n", 1)[1].split("\n\n", 1)[0]
    return [name for row in table.splitlines()[1:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]


@pytest.mark.parametrize("client", CLIENTS)
def test_every_public_method_stands_in_the_table_once(client: type) -> None:
    assert sorted(documented(client)) == sorted(methods(client))


def test_quoted_refusals_are_what_the_server_says() -> None:
    from tinkersql.engine.rest import REFUSED

    quoted = re.findall(r'\| refused: "(.+?)" \|', DOCUMENT)
    assert len(quoted) >= 6
    for text in quoted:
        assert any(text in message for message in REFUSED.values()), text


def test_a_sampler_goes_on_in_another_process(
    service: tinker.ServiceClient, engine: "RunningEngine", tmp_path: Path
) -> None:
    sampler = service.create_sampling_client(base_model=engine.model).result()
    expected = sampler.sample(PROMPT, 1, GREEDY).result().sequences[0].tokens
    copy = tinker.SamplingClient.from_sampler_handle(sampler.get_sampler_handle(), api_key=engine.key)
    assert copy.sample(PROMPT, 1, GREEDY).result().sequences[0].tokens == expected
    (tmp_path / "sampler").write_bytes(pickle.dumps(sampler))
    script = (
        "import pickle, sys\n"
        "from tinker import types\n"
        "sampler = pickle.load(open(sys.argv[1], 'rb'))\n"
        "params = types.SamplingParams(max_tokens=6, temperature=0.0)\n"
        "print(sampler.sample(types.ModelInput.from_ints([5, 6, 7]), 1, params).result().sequences[0].tokens)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "sampler")]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert printed.strip() == str(expected)
    assert sampler.sample(PROMPT, 1, GREEDY).result().sequences[0].tokens == expected


def test_a_traced_custom_loss_runs_in_the_client(
    service: tinker.ServiceClient,
    new_model: Callable[..., tinker.TrainingClient],
    make_data: Callable[..., list[tinker.Datum]],
) -> None:
    def weighted(logprobs, weights):
        loss = -(logprobs * weights).sum()
        return loss, {"custom/weighted:sum": loss}

    handle = service.create_custom_loss(weighted, {"logprobs": 1, "weights": 1}).result()
    client, data = new_model(service), make_data(3)
    expected = client.forward_backward(data, "cross_entropy").result().metrics["loss:sum"]
    metrics = client.forward_backward_custom(data, handle).result().metrics
    assert metrics["custom/weighted:sum"] == pytest.approx(expected, rel=1e-5)
    client.optim_step(types.AdamParams()).result()
