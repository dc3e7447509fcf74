"""Small databases that separate queries which differ, in a fixed order from small to large.

Every database obeys the assumptions: the keys that hold are unique, references point at something, and NULL stands only
where it may. All choices come from one random generator, which is seeded with the text of the pair.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from sqlglot import exp

from tinkersql.equivalence.domains import Domains, Value
from tinkersql.equivalence.facts import Facts
from tinkersql.equivalence.keys import ColumnName, Keys
from tinkersql.equivalence.schema import Schema
from tinkersql.equivalence.scopes import Ref, Scope
from tinkersql.equivalence.verdicts import Assumptions
from tinkersql.equivalence.witnesses import Row, Sketch

Instance = dict[str, list[tuple]]
"""A database: rows by lower-case table name, a value for every column."""


@dataclass(frozen=True)
class Shape:
    """How one database is drawn.

    Attributes:
        sketches: how many witnesses, or witness groups, it gets.
        fill: how many further rows each table gets at most.
        variety: how many ordinary values a column draws from; few make duplicates and ties, many avoid them.
        keep: the probability with which a witness keeps a condition.
        nulls: the probability of NULL where it is allowed.
        grouped: whether witnesses come as groups of different sizes, as HAVING, LIMIT and counts need them.
    """

    sketches: int
    fill: int
    variety: int
    keep: float
    nulls: float = 0.0
    grouped: bool = False


SHAPES = (
    Shape(1, 0, 4, 1.0),
    Shape(2, 1, 3, 0.85),
    Shape(2, 2, 3, 0.85, grouped=True),
    Shape(3, 3, 2, 0.85, nulls=0.15),
    Shape(4, 3, 6, 0.85),
    Shape(3, 4, 12, 0.9, grouped=True),
    Shape(5, 5, 3, 0.8, nulls=0.25),
    Shape(4, 6, 12, 0.85),
    Shape(4, 4, 5, 0.95, grouped=True),
    Shape(0, 8, 3, 0.85),
    Shape(6, 8, 12, 0.85, nulls=0.1),
    Shape(8, 4, 8, 0.75),
)
"""Drawn in this order, again and again until enough databases have said something."""
LARGEST_GROUP = 320


class Instances:
    """The databases for one pair.

    Args:
        schema: the tables.
        scopes: the queries whose conditions the witnesses satisfy; the gold first.
        facts: what the queries ask of the data.
        keys: what must hold.
        assumptions: where NULL may stand.
        ignore_case: whether values occur in one letter case only.
        seed: fixes every choice.
    """

    def __init__(
        self,
        schema: Schema,
        scopes: list[Scope],
        facts: Facts,
        keys: Keys,
        assumptions: Assumptions,
        *,
        ignore_case: bool,
        seed: int,
    ):
        self._schema, self._scopes, self._facts, self._keys = schema, scopes, facts, keys
        self._domains = Domains(schema, facts, keys, ignore_case)
        self._random = Random(seed)
        self._blocks = [[block for block in root.everywhere() if block.slots or block.branches] for root in scopes]
        self._nullable = {
            (name, column.name.lower())
            for name, table in schema.tables.items()
            for column in table.columns
            if (name, column.name.lower()) not in keys.not_null
            and (assumptions is not Assumptions.NO_NULLS or (name, column.name.lower()) in facts.tested_for_null)
        }

    def draw(self, count: int) -> Iterator[Instance]:
        """The empty database, then ``count`` others."""
        yield {}
        for index in range(count):
            yield self._draw(SHAPES[index % len(SHAPES)], index)

    def _draw(self, shape: Shape, index: int) -> Instance:
        random = self._random
        pools = self._instance_pools(shape)
        rows: dict[str, list[Row]] = defaultdict(list)
        for number in range(shape.sketches):
            blocks = self._blocks[number % 2 if len(self._blocks) > 1 and index % 3 else 0] if self._blocks else []
            if not blocks:
                break
            block = blocks[0] if random.random() < 0.75 else random.choice(blocks)
            self._witness(block, shape, pools, rows, number)
        self._fill(shape, pools, rows)
        return self._finished(rows, shape, pools)

    def _instance_pools(self, shape: Shape) -> dict[ColumnName, list[Value]]:
        """What each column draws from: all special values or some, and a few plain ones; equal for columns that meet."""
        random, chosen = self._random, {}
        pools: dict[ColumnName, list[Value]] = {}
        for name, plain in self._domains.plain.items():
            special = self._domains.special[name]
            leader = id(plain)
            if leader not in chosen:
                few = random.sample(plain, min(shape.variety, len(plain)))
                some = special if len(special) <= 6 else random.sample(special, random.randint(5, min(14, len(special))))
                chosen[leader] = [*some, *few]
            pools[name] = chosen[leader]
        return pools

    def _witness(
        self, block: Scope, shape: Shape, pools: dict[ColumnName, list[Value]], rows: dict[str, list[Row]], number: int
    ) -> None:
        """Add the rows of one witness, or of a group of them that agree on what the query groups by."""
        random = self._random
        size = self._group_size(number) if shape.grouped else 1
        inside = list(block.everywhere())
        tables = {slot: table.name.lower() for inner in inside for slot, table in inner.slots.items()}
        shared: dict[Ref, Value] = {}
        for copy in range(size):
            sketch = Sketch(random, shape.keep)
            sketch.add(block)
            for ref, value in shared.items():
                sketch.need(ref, value)
            made, chosen = sketch.rows(lambda name: self._candidates(name, pools))
            if copy == 0 and size > 1:
                shared = self._shared_values(inside, tables, chosen, pools)
                for slot, table in tables.items():
                    for made_table, row in made:
                        if made_table == table:
                            row.update({ref[1]: value for ref, value in shared.items() if ref[0] == slot})
            for table, row in made:
                rows[table].append(row)

    def _group_size(self, number: int) -> int:
        """Around a count that the queries ask for, or one more than the group before, so that sizes differ."""
        around = [count + step for count in sorted(self._facts.counts) for step in (-1, 0, 1, 1)]
        size = self._random.choice(around) if around and self._random.random() < 0.7 else number + 1
        return 2 if size > 40 and number else max(1, min(size, LARGEST_GROUP))

    def _shared_values(
        self,
        inside: list[Scope],
        tables: dict[int, str],
        chosen: dict[Ref, Value],
        pools: dict[ColumnName, list[Value]],
    ) -> dict[Ref, Value]:
        """The values on which all rows of a group agree: those of the grouping columns, sometimes all chosen ones."""
        wanted: dict[Ref, Value] = {}
        for block in inside:
            group = block.node.args.get("group")
            for part in group.expressions if isinstance(group, exp.Group) else ():
                ref = block.ref(part)
                if ref and ref[0] in tables:
                    name = (tables[ref[0]], ref[1])
                    wanted[ref] = chosen[ref] if ref in chosen else self._random.choice(self._candidates(name, pools))
        return {**chosen, **wanted} if self._random.random() < 0.3 else wanted

    def _candidates(self, name: ColumnName, pools: dict[ColumnName, list[Value]]) -> list[Value]:
        return [*pools.get(name, ()), *self._domains.special.get(name, ())] or [1]

    def _fill(self, shape: Shape, pools: dict[ColumnName, list[Value]], rows: dict[str, list[Row]]) -> None:
        """Add rows until every table has some, and enough for a LIMIT to cut."""
        random = self._random
        least = self._facts.limit + 2 if 0 < self._facts.limit <= 30 and random.random() < 0.6 else 0
        for name in self._schema.tables:
            wanted = random.randint(min(1, shape.fill), shape.fill)
            wanted = max(wanted, least - len(rows[name]))
            rows[name] += [{} for _ in range(wanted)]

    def _finished(self, rows: dict[str, list[Row]], shape: Shape, pools: dict[ColumnName, list[Value]]) -> Instance:
        """Give every column a value, then make keys unique and references point at something."""
        random, keys = self._random, self._keys
        content: dict[str, list[Row]] = {}
        for name, table in self._schema.tables.items():
            content[name] = []
            for row in rows[name]:
                full: Row = {}
                for column in table.columns:
                    key = (name, column.name.lower())
                    value = row[key[1]] if key[1] in row else self._any(key, shape, pools)
                    if value is None and key not in self._nullable:
                        value = random.choice(self._candidates(key, pools))
                    elif key in self._nullable and key[1] not in row and random.random() < shape.nulls:
                        value = None
                    full[key[1]] = value
                content[name].append(full)
            random.shuffle(content[name])
        for name in content:
            content[name] = self._with_unique_keys(name, content[name], rows)
        for _ in range(3):
            if not self._point_references(content):
                break
        for name in content:
            content[name] = self._deduplicated(name, content[name])
        self._drop_dangling(content, keys)
        return {
            name: [tuple(row[column.name.lower()] for column in self._schema.tables[name].columns) for row in table_rows]
            for name, table_rows in content.items()
        }

    def _any(self, name: ColumnName, shape: Shape, pools: dict[ColumnName, list[Value]]) -> Value:
        return self._random.choice(pools[name])

    def _with_unique_keys(self, name: str, table_rows: list[Row], rows: dict[str, list[Row]]) -> list[Row]:
        """Give rows whose key was not asked for a fresh one; of rows that ask for the same, keep the first."""
        key = self._keys.key_of(name)
        if key is None:
            return table_rows
        asked = {_folded(row[key]) for row in rows[name] if key in row}
        used: set = set()
        kept: list[Row] = []
        spare = [value for value in self._domains.plain[name, key] if _folded(value) not in asked]
        self._random.shuffle(spare)
        for row in table_rows:
            if _folded(row[key]) in used:
                if _folded(row[key]) in asked and self._random.random() < 0.7:
                    continue
                fresh = next((value for value in spare if _folded(value) not in used), None)
                if fresh is None:
                    fresh = _fresh(row[key], len(used))
                if _folded(fresh) in used:
                    continue
                row[key] = fresh
            used.add(_folded(row[key]))
            kept.append(row)
        return kept

    def _point_references(self, content: dict[str, list[Row]]) -> bool:
        """Mend dangling references, by another target or by a new parent row; returns whether a parent was added."""
        random, added = self._random, False
        for (child, column), (parent, target) in self._keys.references.items():
            present = {_folded(row[target]): row[target] for row in content[parent]}
            for row in content[child]:
                value = row[column]
                if value is None or _folded(value) in present:
                    continue
                if present and random.random() < 0.4:
                    row[column] = random.choice(list(present.values()))
                    continue
                table = self._schema.tables[parent]
                new: Row = {
                    item.name.lower(): random.choice(self._candidates((parent, item.name.lower()), {}) +
                                                     self._domains.plain[parent, item.name.lower()])
                    for item in table.columns
                }
                new[target] = value
                content[parent].append(new)
                present[_folded(value)] = value
                added = True
        return added

    def _deduplicated(self, name: str, table_rows: list[Row]) -> list[Row]:
        kept = table_rows
        for names in self._keys.unique[name]:
            seen: set = set()
            rest = []
            for row in kept:
                value = tuple(_folded(row[column]) for column in names)
                if value not in seen or None in value:
                    seen.add(value)
                    rest.append(row)
            kept = rest
        return kept

    def _drop_dangling(self, content: dict[str, list[Row]], keys: Keys) -> None:
        for _ in range(4):
            changed = False
            for (child, column), (parent, target) in keys.references.items():
                present = {_folded(row[target]) for row in content[parent]}
                rest = [row for row in content[child] if row[column] is None or _folded(row[column]) in present]
                changed |= len(rest) != len(content[child])
                content[child] = rest
            if not changed:
                return


def obeys(instance: Instance, schema: Schema, keys: Keys) -> bool:
    """Whether a database meets the unique keys and the references."""
    places = {name: {column.name.lower(): i for i, column in enumerate(table.columns)} for name, table in schema.tables.items()}
    for name, sets in keys.unique.items():
        for names in sets:
            values = [tuple(_folded(row[places[name][column]]) for column in names) for row in instance.get(name, ())]
            values = [value for value in values if None not in value]
            if len(values) != len(set(values)):
                return False
    for (child, column), (parent, target) in keys.references.items():
        present = {_folded(row[places[parent][target]]) for row in instance.get(parent, ())}
        found = {_folded(row[places[child][column]]) for row in instance.get(child, ())} - {None}
        if not found <= present:
            return False
    return True


def _folded(value: Value) -> str | None:
    """How two values are told apart as keys: as text, because a reference may be of another type than its target."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).lower()


def _fresh(like: Value, number: int) -> Value:
    return 100 + number if isinstance(like, int | float) else f"{like}{number}"
