"""Small databases that separate queries which differ, in a fixed order from small to large.

Every database obeys the assumptions: the keys that hold are unique, references point at something, and NULL stands only
where it may. All choices come from one random generator, which is seeded with the text of the pair.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlglot import exp

from tinkersql.equivalence.chance import Chance
from tinkersql.equivalence.domains import MAX_DISTINCT, Domains
from tinkersql.equivalence.facts import Facts
from tinkersql.equivalence.functions import Value
from tinkersql.equivalence.integrity import Content, Instance, drop_violations, folded, mend_references, unique_keys
from tinkersql.equivalence.keys import ColumnName, Keys, find_keys
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
    Shape(3, 4, 12, 0.9, nulls=0.2, grouped=True),
    Shape(4, 3, 6, 0.85),
    Shape(1, 6, 5, 0.85, nulls=0.3),
    Shape(5, 5, 3, 0.8, nulls=0.25),
    Shape(1, 0, 8, 0.85, nulls=0.5),
    Shape(4, 2, 8, 0.95, grouped=True),
    Shape(3, 8, 24, 0.8),
    Shape(0, 8, 3, 0.85),
    Shape(0, 10, 24, 0.85),
    Shape(6, 8, 12, 0.85, nulls=0.1),
    Shape(4, 4, 3, 0.95, nulls=0.1, grouped=True),
    Shape(8, 4, 8, 0.75),
)
"""Drawn in this order, again and again until enough databases have said something."""
_WIDE = Shape(1, 1, 1_000, 0.9)
"""In its place now and then where a LIMIT is not small: with more different values than the LIMIT lets through."""
LARGEST_GROUP = 420
_ALIKE = 0.05
"""The probability that all rows agree in a column."""
_COUNTED_NULLS = 0.4
"""The least probability of NULL in a column inside an aggregate, in databases that are made of groups."""
_ONE_TABLE = 0.4
"""The probability that a group is made of the rows of one table, which meet one row in each of the others."""
_STARVED = 0.15
"""The probability that a table is empty although the others are not."""
_RESPELLED = 0.3
"""The probability that numbers in text columns are spelt in different ways, where that is allowed."""
_NUMERIC = ("INTEGER", "REAL", "NUMERIC")
Pools = dict[ColumnName, list[Value]]
LARGEST_FILL = 30
_SMALL_GROUP = 40


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
        self._open = assumptions is Assumptions.OPEN_WORLD
        self._likely = find_keys(schema, Assumptions.INFERRED_KEYS) if self._open else keys
        self._domains = Domains(schema, facts, self._likely, ignore_case)
        self._random = Chance(seed)
        self._relatives = Relatives(self._likely, facts, self._domains, self._random)
        around = [count + step for count in sorted(facts.counts) for step in (0, 1, -1)]
        if facts.limit > LARGEST_FILL:
            around.append(max(min(2 * facts.limit + 2, LARGEST_GROUP), facts.limit * 4 // 3 + 2))
        self._sizes, self._turn = [size for size in dict.fromkeys(around) if 0 < size <= LARGEST_GROUP], 0
        asked = self._asked_tables(scopes if len(scopes) == queries else [])
        self._groups = [group for group in self._domains.groups if any(name[0] in asked for name in group)]
        self._asked = asked
        self._blocks = [[block for block in root.everywhere() if block.slots or block.branches] for root in scopes]
        self._ranks = facts.limit > 0 and any(
            isinstance(block.node.args.get("group"), exp.Group) for blocks in self._blocks for block in blocks
        )
        self._shared = {*self._likely.references, *self._likely.references.values()}
        columns = [(name, column) for name in asked for column in keys.columns[name]]
        if assumptions is Assumptions.NO_NULLS:
            columns = [name for name in columns if name in facts.tested_for_null]
        self._columns = columns
        self.nullable = {name for name in columns if name not in keys.not_null}
        self._null = 0.0 if assumptions is Assumptions.NO_NULLS else 0.15
        self._respelled = self._numbers_as_text() if self._open else []

    def _asked_tables(self, scopes: list[Scope]) -> list[str]:
        """The tables that the queries mention and those that they refer to; all of them when that cannot be told."""
        blocks = [block for root in scopes for block in root.everywhere()]
        asked = {table.name.lower() for block in blocks for table in block.slots.values()} or set(self._schema.tables)
        before = 0
        while len(asked) > before:
            before = len(asked)
            asked |= {parent for (child, _), (parent, _) in self._likely.references.items() if child in asked}
        return [name for name in self._schema.tables if name in asked]

    def _numbers_as_text(self) -> list[ColumnName]:
        """The free text columns that meet a number column."""
        kinds = {
            (name, column.name.lower()): column.affinity
            for name in self._asked
            for column in self._schema.tables[name].columns
        }
        held = {*self._keys.references, *self._keys.references.values()}
        held |= {(table, column) for table, sets in self._keys.unique.items() for names in sets for column in names}
        mixed = [group for group in self._groups if len({kinds.get(name) in _NUMERIC for name in group}) == 2]
        return [name for group in mixed for name in group if kinds.get(name) == "TEXT" and name not in held]

    def draw(self, count: int) -> Iterator[Instance]:
        """The empty database, then ``count`` others."""
        yield {}
        for index in range(count):
            wide = 4 < self._facts.limit <= MAX_DISTINCT and index % 5 == 2
            shape = _WIDE if wide else SHAPES[index % len(SHAPES)]
            if self._sizes and index % 3 == 1 and shape.sketches:
                shape = replace(shape, grouped=True)
            yield self._draw(shape, index)

    def _draw(self, shape: Shape, index: int) -> Instance:
        random = self._random
        pools = self._instance_pools(shape)
        rows: dict[str, list[Row]] = defaultdict(list)
        for number in range(shape.sketches):
            # in turn, so that what fulfils the prediction's conditions is also seen without what fulfils the gold's
            blocks = self._blocks[(number + index) % len(self._blocks)] if self._blocks else []
            if not blocks:
                break
            block = blocks[0] if random.random() < 0.75 else random.choice(blocks)
            grouping = [item for item in blocks if item.node.args.get("group") is not None] if shape.grouped else []
            if grouping and block not in grouping and random.random() < 0.7:
                block = random.choice(grouping)
            self._witness(block, shape, pools, rows, number)
        self._fill(shape, rows)
        return self._finished(rows, shape, pools)

    def _instance_pools(self, shape: Shape) -> Pools:
        """What each column draws from: special values and a few plain ones; the same for columns that meet.

        Now and then it is one value alone, so that all rows agree in that column.
        """
        random, pools = self._random, {}
        for group in self._groups:
            special, plain = self._domains.special[group[0]], self._domains.plain[group[0]]
            most = 4 if shape is not _WIDE and self._shared.intersection(group) else len(plain)
            few = random.sample(plain, min(shape.variety, len(plain), most))
            some = special if len(special) <= 6 else random.sample(special, 5 + random.upto(min(9, len(special) - 5)))
            chosen = [*some, *few]
            if random.random() < _ALIKE:
                chosen = [random.choice(chosen)]
            pools.update(dict.fromkeys(group, chosen))
        return pools

    def _witness(self, block: Scope, shape: Shape, pools: Pools, rows: dict[str, list[Row]], number: int) -> None:
        """Add the rows of one witness, or of a group of them that agree on what the query groups by."""
        random = self._random
        size = self._group_size(number) if shape.grouped else 1
        inside = list(block.everywhere())
        tables = {slot: table.name.lower() for inner in inside for slot, table in inner.slots.items()}
        shared: dict[Ref, Value] = {}
        repeated: int | None = None
        for copy in range(size):
            sketch = Sketch(random, shape.keep, self._null)
            sketch.add(block)
            for ref, value in shared.items():
                sketch.need(ref, value)
            made, chosen = sketch.rows(lambda name: self._candidates(name, pools))
            if copy == 0 and size > 1:
                shared = self._shared_values(inside, tables, chosen, pools)
                for slot, _, row in made:
                    row.update({ref[1]: value for ref, value in shared.items() if ref[0] == slot})
                if len(made) > 1 and random.random() < _ONE_TABLE:
                    shared, repeated = {**chosen, **shared}, random.choice(made)[0]
            for slot, table, row in made:
                if copy == 0 or repeated in (None, slot):
                    rows[table].append(row)

    def _group_size(self, number: int) -> int:
        """The sizes around each count in turn; where groups are ranked, all but the first grow by one."""
        if not self._sizes or (number and self._ranks):
            return number + 1
        size = self._sizes[self._turn % len(self._sizes)]
        if number and size > _SMALL_GROUP:
            return number + 1
        self._turn += 1
        return size

    def _shared_values(
        self,
        inside: list[Scope],
        tables: dict[int, str],
        chosen: dict[Ref, Value],
        pools: Pools,
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
                    if name in self.nullable and self._random.random() < self._null:
                        wanted[ref] = None
        return {**chosen, **wanted} if self._random.random() < 0.3 else wanted

    def _candidates(self, name: ColumnName, pools: Pools) -> list[Value]:
        return [*pools[name], *self._domains.special[name]]

    def _fill(self, shape: Shape, rows: dict[str, list[Row]]) -> None:
        """Add rows to every table that is asked about, and enough for a LIMIT to cut."""
        random = self._random
        least = self._facts.limit + 2 if 0 < self._facts.limit <= LARGEST_FILL and random.random() < 0.6 else 0
        if shape is _WIDE:
            least = 4 * self._facts.limit + 4
        for name in self._asked:
            wanted = max(random.upto(shape.fill), min(1, shape.fill), least - len(rows[name]))
            rows[name] += [{} for _ in range(wanted)]

    def _finished(self, rows: dict[str, list[Row]], shape: Shape, pools: Pools) -> Instance:
        """Give every column a value, then make keys unique and references point at something."""
        random = self._random
        keys = self._likely if random.random() < 0.4 else self._keys
        nullable = self.nullable if keys is self._keys else self.nullable - keys.not_null
        empty = {name for name in self._columns if name in nullable and random.random() < 0.4 * (shape.nulls >= 0.25)}
        starved = random.choice(self._asked) if shape.fill > 1 and random.random() < _STARVED else None
        content: Content = {name: [] for name in self._schema.tables}
        for name in self._asked:
            if name == starved:
                continue
            content[name] = self._filled(name, rows[name], shape, pools, empty, nullable)
            random.shuffle(content[name])
            key = keys.key_of(name)
            if key is not None:
                asked = {folded(row[key]) for row in rows[name] if key in row}
                content[name] = unique_keys(content[name], key, asked, self._domains.plain[name, key], random)
        if starved is None:
            mend_references(content, keys, random, lambda name: random.choice(pools[name]))
        if self._ranks and random.random() < (0.6 if shape.grouped else 0.35):
            self._relatives.overtake(content, keys)
        elif shape.fill and not (shape.grouped and self._sizes) and random.random() < 0.6:
            self._relatives.add_twins(content, keys)
        if self._respelled and keys is self._keys and random.random() < _RESPELLED:
            self._respell(content)
        drop_violations(content, keys)
        return {
            name: [tuple(row[column] for column in keys.columns[name]) for row in made]
            for name, made in content.items()
        }

    def _respell(self, content: Content) -> None:
        """Write every second one of equal numbers in a text column another way: the same to a number, not as a text."""
        for name, column in self._respelled:
            seen: Counter[str] = Counter()
            for row in content[name]:
                text = str(row[column])
                if text.isdecimal():
                    seen[text] += 1
                    row[column] = text if seen[text] % 2 else f"0{text}"

    def _filled(
        self, name: str, rows: list[Row], shape: Shape, pools: Pools, empty: set[ColumnName], nullable: set[ColumnName]
    ) -> list[Row]:
        """The rows with a value in every column: NULL only in ``nullable`` columns, always in the ``empty`` ones."""
        random = self._random.random
        made: list[Row] = [{} for _ in rows]
        for column in self._keys.columns[name]:
            key = (name, column)
            pool, forbidden = pools[key], key not in nullable
            nulls = 0.0 if forbidden else shape.nulls
            if shape.grouped and not forbidden and key in self._facts.counted:
                nulls = max(nulls, _COUNTED_NULLS)
            for row, full in zip(rows, made, strict=True):
                if key in empty:
                    value = None
                elif column in row:
                    value = row[column]
                    if value is None and forbidden:
                        value = pool[int(random() * len(pool))]
                elif nulls and random() < nulls:
                    value = None
                else:
                    value = pool[int(random() * len(pool))]
                full[column] = value
        return made
