"""What a prediction has and its gold lacks: the gold's own databases were not chosen to probe that."""

from collections import Counter

from sqlglot import exp

from tinkersql.equivalence.facts import Facts
from tinkersql.equivalence.reading import Query

_CONSTRUCTS = (
    *(exp.Func, exp.Distinct, exp.Group, exp.Having, exp.Order, exp.Limit, exp.Offset, exp.SetOperation, exp.Window),
    *(exp.Like, exp.Is, exp.Null, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.DPipe, exp.Neg, exp.Exists),
)
"""Comparisons, lists, AND, OR and NOT are left out: the gold's mutants have them."""


def ingredients(query: Query, facts: Facts) -> frozenset[tuple] | None:
    """What a query is made of; None when it was not parsed.

    Tables (and how often), columns, values and constructs, and with which column a value is compared.

    Args:
        query: the query.
        facts: what it asks of the data, alone or together with another query.
    """
    if query.tree is None or query.scope is None:
        return None
    blocks = list(query.scope.everywhere())
    names = {number: table.name.lower() for block in blocks for number, table in block.slots.items()}
    found: set[tuple] = {("table", *item) for item in Counter(names.values()).items()}
    for block in blocks:
        found |= {("column", names[ref[0]], ref[1]) for ref in block.refs.values() if ref is not None}
    found |= {(*name, literal.name) for name, literals in facts.values.items() for literal in literals}
    for node in query.tree.walk():
        if isinstance(node, exp.Literal):
            found.add(("value", node.name))
        elif isinstance(node, _CONSTRUCTS) and not isinstance(node, exp.Connector):
            found.add(("construct", type(node).__name__))
        elif isinstance(node, exp.Join) and node.args.get("side"):
            found.add(("join", str(node.args["side"]).upper()))
    return frozenset(found)


def brings_news(predicted: Query, facts: Facts, known: frozenset[tuple] | None) -> bool:
    """Whether a prediction has an ingredient that is not ``known`` from its gold; the facts are those of both."""
    found = ingredients(predicted, facts)
    return found is None or known is None or not found <= known
