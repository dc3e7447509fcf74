"""Golds that were damaged when they were written.

Each function looks for one kind of damage. It proposes a repair only where the question holds the undamaged text;
whoever calls it must see that the repair runs.
"""

from collections.abc import Callable

from tinkersql.corpus.quality.causes import Finding
from tinkersql.corpus.quality.quoting import inner_quote, open_quote, placeholder, value_as_column
from tinkersql.corpus.quality.rows import Row
from tinkersql.corpus.quality.torn import torn_name, torn_number, torn_value

DAMAGES: tuple[Callable[[Row], Finding | None], ...] = (
    *(torn_name, torn_number, torn_value, inner_quote, open_quote, value_as_column, placeholder),
)
"""Every kind of damage; the first that is found names the row's cause."""
MAX_GOLD = 4_000
"""Longer golds are not looked at: no question needs them, and the time for some patterns grows with the square."""


def damage(row: Row) -> Finding | None:
    """The first damage that the gold shows."""
    if len(row.gold) > MAX_GOLD:
        return None
    return next((found for look in DAMAGES if (found := look(row)) is not None), None)
