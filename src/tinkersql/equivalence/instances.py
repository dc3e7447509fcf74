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
from tinkersql.equivalence.integrity import Content, Instance, drop_violations, folded, mend_references, unique_keys
from tinkersql.equivalence.keys import ColumnName, Keys
from tinkersql.equivalence.relatives import Relatives
from tinkersql.equivalence.schema import Schema
from tinkersql.equivalence.scopes import Ref, Scope
from tinkersql.equivalence.verdicts import Assumptions
from tinkersql.equivalence.witnesses import Row, Sketch


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
    Shape(1, 0, 4, 1.0, nulls=0.8),
    Shape(1, 2, 24, 1.0),
    Shape(1, 1, 4, 1.0, nulls=0.4),
    Shape(2, 1, 3, 0.85),
    Shape(2, 2, 4, 0.85, grouped=True),
    Shape(1, 4, 24, 0.9),
    Shape(3, 3, 2, 0.85, nulls=0.15),
    Shape(2, 3, 24, 0.7),
    Shape(3, 4, 12, 0.9, grouped=True),
    Shape(4, 3, 6, 0.85),
    Shape(1, 6, 5, 0.85, nulls=0.3),
    Shape(5, 5, 3, 0.8, nulls=0.25),
    Shape(1, 0, 8, 0.85, nulls=0.5),
    Shape(4, 2, 8, 0.95, grouped=True),
    Shape(3, 8, 24, 0.8),
    Shape(0, 8, 3, 0.85),
    Shape(0, 10, 24, 0.85),
    Shape(6, 8, 12, 0.85, nulls=0.1),
    Shape(4, 4, 3, 0.95, grouped=True),
    Shape(8, 4, 8, 0.75),
)
"""Drawn in this order, again and again until enough databases have said something."""
LARGEST_GROUP = 420
LARGEST_FILL = 30


class Instances:
    """The databases for one pair.

    Args:
        schema: the tables.
        scopes: the queries that could be parsed, whose conditions the witnesses satisfy; the gold first.
        queries: how many queries there are, parsed or not.
        facts: what the queries ask of the data.
        keys: what must hold.
        assumptions: where NULL may stand.
        ignore_case: whether values occur in one letter case only.
        seed: fixes every choice.

    Attributes:
        nullable: the columns in which NULL may stand.
    """

    def __init__(
        self,
        schema: Schema,
        scopes: list[Scope],
        queries: int,
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
        self._relatives = Relatives(keys, facts, self._domains, self._random)
        around = [count + step for count in sorted(facts.counts) for step in (0, 1, -1)]
        if facts.limit > LARGEST_FILL:
            around.append(facts.limit * 4 // 3 + 2)
        self._sizes, self._turn = [size for size in around if 0 < size <= LARGEST_GROUP], 0
        self._blocks = [[block for block in root.everywhere() if block.slots or block.branches] for root in scopes]
        self._mentioned = {
            table.name.lower()
            for root in scopes
            for block in root.everywhere()
            for table in block.slots.values()
            if len(scopes) == queries
        }
        self._ranks = facts.limit > 0 and any(
            isinstance(block.node.args.get("group"), exp.Group) for blocks in self._blocks for block in blocks
        )
        self._shared = {*keys.references, *keys.references.values()}
        self.nullable = {
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
        self._fill(shape, rows)
        return self._finished(rows, shape, pools)

    def _instance_pools(self, shape: Shape) -> dict[ColumnName, list[Value]]:
        """What each column draws from: special values and a few plain ones; the same for columns that meet."""
        random, chosen = self._random, {}
        pools: dict[ColumnName, list[Value]] = {}
        for name, plain in self._domains.plain.items():
            special = self._domains.special[name]
            leader = id(plain)
            if leader not in chosen:
                few = random.sample(plain, min(shape.variety, len(plain), 4 if name in self._shared else 24))
                some = (
                    special if len(special) <= 6 else random.sample(special, random.randint(5, min(14, len(special))))
                )
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
        """The first group takes the sizes around each count in turn; the others grow by one, so that sizes differ."""
        if number or not self._sizes:
            return number + 1
        size = self._sizes[self._turn % len(self._sizes)]
        self._turn += 1
        return size

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
        return [*pools[name], *self._domains.special[name]]

    def _fill(self, shape: Shape, rows: dict[str, list[Row]]) -> None:
        """Add rows to every table that is asked about, and enough for a LIMIT to cut."""
        random = self._random
        least = self._facts.limit + 2 if 0 < self._facts.limit <= LARGEST_FILL and random.random() < 0.6 else 0
        for name in self._schema.tables:
            if self._mentioned and name not in self._mentioned:
                continue
            wanted = random.randint(min(1, shape.fill), shape.fill)
            wanted = max(wanted, least - len(rows[name]))
            rows[name] += [{} for _ in range(wanted)]

    def _finished(self, rows: dict[str, list[Row]], shape: Shape, pools: dict[ColumnName, list[Value]]) -> Instance:
        """Give every column a value, then make keys unique and references point at something."""
        random, keys = self._random, self._keys
        empty = {name for name in sorted(self.nullable) if shape.nulls >= 0.25 and random.random() < 0.4}
        content: Content = {}
        for name in self._schema.tables:
            content[name] = [self._filled(name, row, shape, pools, empty) for row in rows[name]]
            random.shuffle(content[name])
            key = keys.key_of(name)
            if key is not None:
                asked = {folded(row[key]) for row in rows[name] if key in row}
                content[name] = unique_keys(content[name], key, asked, self._domains.plain[name, key], random)
        mend_references(content, keys, random, lambda name: random.choice(pools[name]))
        if self._ranks and random.random() < (0.6 if shape.grouped else 0.35):
            self._relatives.overtake(content)
        elif shape.fill and not (shape.grouped and self._sizes) and random.random() < 0.6:
            self._relatives.add_twins(content)
        drop_violations(content, keys)
        return {
            name: [tuple(row[column] for column in keys.columns[name]) for row in made]
            for name, made in content.items()
        }

    def _filled(
        self, name: str, row: Row, shape: Shape, pools: dict[ColumnName, list[Value]], empty: set[ColumnName]
    ) -> Row:
        """The row with a value in every column: NULL only where it may stand, and always in the ``empty`` columns."""
        full: Row = {}
        for column in self._keys.columns[name]:
            key = (name, column)
            value = row[column] if column in row else self._random.choice(pools[key])
            if key in empty:
                value = None
            elif value is None and key not in self.nullable:
                value = self._random.choice(pools[key])
            elif key in self.nullable and column not in row and self._random.random() < shape.nulls:
                value = None
            full[column] = value
        return full
