"""Fixtures of the conformance tests: the unmodified SDK talks to an engine over a real socket."""

import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import tinker

    from conftest import RunningEngine


@pytest.fixture
def service(engine: "RunningEngine") -> "Iterator[tinker.ServiceClient]":
    """A session with the shared engine."""
    with engine.client() as client:
        yield client


@pytest.fixture
def new_model(engine: "RunningEngine") -> "Callable[..., tinker.TrainingClient]":
    """Create a LoRA model in a session; every call with the same arguments creates the same model."""

    def create(service: "tinker.ServiceClient", **options: object) -> "tinker.TrainingClient":
        settings = {"rank": 8, "seed": 5, "train_unembed": False, **options}
        return service.create_lora_training_client(base_model=engine.model, **settings).result()

    return create


@pytest.fixture(scope="session")
def make_data() -> "Callable[..., list[tinker.Datum]]":
    """Random training data, the same for the same seed; a third of the weights are zero."""
    from tinker import types

    def make(count: int = 6, seed: int = 0, vocabulary: int = 400) -> "list[tinker.Datum]":
        generator = random.Random(seed)
        data = []
        for _ in range(count):
            length = generator.randrange(8, 40)
            tokens = generator.choices(range(vocabulary), k=length + 1)
            weights = [0.0 if i < length // 3 else 1.0 for i in range(length)]
            inputs = {
                "target_tokens": types.TensorData(data=tokens[1:], dtype="int64", shape=[length]),
                "weights": types.TensorData(data=weights, dtype="float32", shape=[length]),
            }
            data.append(types.Datum(model_input=types.ModelInput.from_ints(tokens[:-1]), loss_fn_inputs=inputs))
        return data

    return make
