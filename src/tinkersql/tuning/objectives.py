"""What a training step is made of: supervised batches here, sampled and rewarded answers in `reinforce`."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from tinkersql.console import Reporter
from tinkersql.prompts import completion_tokens
from tinkersql.tuning.plan import Plan
from tinkersql.waiting import awaited

if TYPE_CHECKING:
    import tinker

STEPS_AHEAD = 1
"""Steps submitted before the oldest result is awaited, so that the service never waits for the client."""

Row = Mapping[str, Any]
"""A line of a ``.jsonl`` file in the run folder."""


class Objective(Protocol):
    """What a step is made of.

    Attributes:
        ahead: Steps that may be submitted before the oldest result is awaited.
        figure: The figure of a step that the progress bar shows.
    """

    ahead: int
    figure: str

    def submit(self, number: int) -> Callable[[], Row]:
        """Begin a step; what is returned awaits its end, and gives the figures for its line.

        Among them are ``loss`` (nats per token that carried weight), ``tokens`` and ``completion_tokens``.
        """
        ...

    def close(self) -> None:
        """Free what the objective holds; called once, after the last step."""
        ...


class Supervised:
    """Cross-entropy on the completions."""

    ahead = STEPS_AHEAD
    figure = "loss"

    def __init__(self, client: "tinker.TrainingClient", plan: Plan, reporter: Reporter) -> None:
        self.client = client
        self.plan = plan
        self.reporter = reporter

    def submit(self, number: int) -> Callable[[], Row]:
        """Submit a batch and Adam's step; see `Objective`."""
        from tinker import types

        batch = self.plan.batch(number)
        forward_backward = self.client.forward_backward(batch, "cross_entropy")
        optim = self.client.optim_step(types.AdamParams(learning_rate=self.plan.rate(number)))

        def ended() -> Row:
            output = awaited(forward_backward, self.reporter)
            awaited(optim, self.reporter)
            weighted = completion_tokens(batch)
            return {
                "loss": output.metrics["loss:sum"] / max(weighted, 1),
                "tokens": sum(datum.model_input.length for datum in batch),
                "completion_tokens": weighted,
            }

        return ended

    def close(self) -> None:
        """Nothing is held."""
