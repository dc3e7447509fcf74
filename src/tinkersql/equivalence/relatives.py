"""Rows that are almost alike: they separate grouping by a name from grouping by a key, and one top row from another."""

from tinkersql.equivalence.chance import Chance
from tinkersql.equivalence.domains import Domains
from tinkersql.equivalence.facts import Facts
from tinkersql.equivalence.integrity import Content, folded, fresh_key
from tinkersql.equivalence.keys import ColumnName, Keys
from tinkersql.equivalence.witnesses import Row

_SIZES = ((1, 1, 1), (2, 2, 3), (1, 1, 2), (1, 2, 2), (2, 1, 2), (4, 1, 3))
"""Children of a row, of its twin and of a third row: often none of the two leads alone, but together they do."""


class Relatives:
    """Adds near copies of rows to a database in the making; rows are related by references and by joins on a key."""

    def __init__(self, keys: Keys, facts: Facts, domains: Domains, random: Chance):
        self._keys, self._domains, self._random = keys, domains, random
        joined = [pair for one, other in facts.meets for pair in ((one, other), (other, one))]
        joined = [(child, parent) for child, parent in joined if child[0] != parent[0]]
        self._links = {**{child: parent for child, parent in joined if self._is_key(parent)}, **keys.references}

    def _is_key(self, name: ColumnName) -> bool:
        return self._keys.key_of(name[0]) == name[1]

    def add_twins(self, content: Content, held: Keys) -> None:
        """Near copies of some rows: another key, every other value kept with high probability, children shared.

        Where the key need not hold (``held`` says what must), most copies keep it.
        """
        random = self._random
        for name, rows in content.items():
            key = self._keys.key_of(name)
            for row in random.sample(rows, min(len(rows), random.upto(2))):
                twin = dict(row)
                for column in twin:
                    if random.random() < (0.7 if column == key else 0.12):
                        twin[column] = random.choice(self._domains.plain[name, column])
                rows.append(twin)
                if key is not None and (held.key_of(name) == key or random.random() < 0.3):
                    self._set_fresh_key(content, name, key, twin)
                    self._share_children(content, name, key, row, twin)

    def overtake(self, content: Content, held: Keys) -> None:
        """Leave one row, its twin and a third one in a parent table, with children in telling numbers.

        Where the key need not hold, the twin often has the same key and other values instead.
        """
        random = self._random
        choices = [
            (child, parent)
            for child, parent in self._links.items()
            if content[child[0]] and content[parent[0]] and self._is_key(parent)
        ]
        if not choices:
            return
        (child, column), (parent, target) = random.choice(choices)
        pattern = random.choice(content[child])
        original = next((row for row in content[parent] if folded(row[target]) == folded(pattern[column])), None)
        if original is None:
            return
        family = [original]
        repeats = held.key_of(parent) != target and random.random() < 0.5
        for alike in (True, False):
            row = dict(original)
            for name in row:
                if (not alike or repeats) and random.random() < 0.6:
                    row[name] = random.choice(self._domains.plain[parent, name])
            content[parent].append(row)
            if alike and repeats:
                row[target] = original[target]
            else:
                self._set_fresh_key(content, parent, target, row)
            family.append(row)
        content[parent] = list(family)
        content[child] = []
        for row, size in zip(family, random.choice(_SIZES), strict=True):
            for _ in range(size):
                self._copy(content, child, {**pattern, column: row[target]}, pattern, 2)
        random.shuffle(content[parent])
        random.shuffle(content[child])

    def _copy(self, content: Content, name: str, row: Row, original: Row, depth: int) -> None:
        """Add a copy of a row, with copies of the rows that refer to the original."""
        content[name].append(row)
        key = self._keys.key_of(name)
        if key is None or depth == 0:
            return
        old = folded(original[key])
        self._set_fresh_key(content, name, key, row)
        for (child, column), parent in self._links.items():
            if parent == (name, key):
                for item in [item for item in content[child] if folded(item[column]) == old][:3]:
                    self._copy(content, child, {**item, column: row[key]}, item, depth - 1)

    def _share_children(self, content: Content, name: str, key: str, row: Row, twin: Row) -> None:
        for (child, column), parent in self._links.items():
            if parent == (name, key):
                for item in content[child]:
                    if folded(item[column]) == folded(row[key]) and self._random.random() < 0.5:
                        item[column] = twin[key]

    def _set_fresh_key(self, content: Content, name: str, key: str, row: Row) -> None:
        taken = {folded(item[key]) for item in content[name] if item is not row}
        if folded(row[key]) in taken:
            spare = list(self._domains.plain[name, key])
            self._random.shuffle(spare)
            row[key] = fresh_key(taken, spare, row[key])
