"""Mutants of a gold query: small wrong versions of it, against which its databases are measured.

Databases that tell the gold from every mutant also tell it from most of the mistakes that a model makes. The operators
that make them are in ``operators``. Mutants that mean the same as the gold are recognised by the named rules in
``mutant_proofs``; the rest, when no database kills them, count against the databases.
"""

from dataclasses import dataclass

from sqlglot import exp

from tinkersql.equivalence.operators import OPERATORS, letter_case
from tinkersql.equivalence.reading import Query
from tinkersql.equivalence.scopes import Scope

MOST_MUTANTS = 60
"""Of each gold; beyond it the operators take turns, so that none is left out."""


@dataclass(frozen=True)
class Mutant:
    """One change of one place.

    Attributes:
        operator: the name of the operator.
        sql: the changed query.
        block: the query block in which the change was made, as it is in the gold.
        node: the changed node of the gold's tree.
        changed: what stands in its place, None when it was taken away.
    """

    operator: str
    sql: str
    block: Scope
    node: exp.Expr
    changed: exp.Expr | None


def mutants(gold: Query, *, ignore_case: bool) -> list[Mutant]:
    """The mutants of a gold that was parsed, each text once, at most ``MOST_MUTANTS``.

    Args:
        gold: the query.
        ignore_case: whether the letter case of values is ignored; then no mutant differs in it alone.
    """
    if gold.tree is None or gold.scope is None:
        return []
    operators = OPERATORS if ignore_case else {**OPERATORS, "letter case": letter_case}
    seen = {gold.tree.sql(dialect="sqlite")}
    by_operator: list[list[Mutant]] = []
    for name, operator in operators.items():
        found = []
        for block in gold.scope.everywhere():
            for node, changed in operator(block):
                sql = _text_with(gold.tree, node, changed)
                if sql is not None and sql not in seen:
                    seen.add(sql)
                    found.append(Mutant(name, sql, block, node, changed))
        by_operator.append(found)
    return _in_turns(by_operator, MOST_MUTANTS)


def _in_turns(groups: list[list[Mutant]], most: int) -> list[Mutant]:
    """The mutants operator by operator; too many are thinned by taking one of each operator in turn."""
    chosen: set[int] = set()
    for place in range(max((len(group) for group in groups), default=0)):
        for group in groups:
            if place < len(group) and len(chosen) < most:
                chosen.add(id(group[place]))
    return [mutant for group in groups for mutant in group if id(mutant) in chosen]


def _text_with(tree: exp.Query, node: exp.Expr, changed: exp.Expr | None) -> str | None:
    """The tree's text with one node changed; the tree itself is as before afterwards."""
    parent, key, index = node.parent, node.arg_key, node.index
    if parent is None or key is None:
        return changed.sql(dialect="sqlite") if node is tree and changed is not None else None
    value = parent.args[key]
    if index is None:
        parent.args[key] = changed
    else:
        items = list(value)
        items[index : index + 1] = [] if changed is None else [changed]
        if not items:
            return None
        parent.args[key] = items
    if changed is not None:
        changed.parent, changed.arg_key, changed.index = parent, key, index
    try:
        return tree.sql(dialect="sqlite")
    finally:
        parent.args[key] = value
