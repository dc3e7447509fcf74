"""What makes two examples alike: their table, their columns, the template of their query, the words of their question.

Splits keep alike examples on one side, and leak reports count those that stand on both.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tinkersql.corpus.examples import Example
from tinkersql.corpus.templates import template_of
from tinkersql.equivalence.schema import SchemaError, read_schema

RARE = 10
"""A column of at most so many examples tells which table it is from.

With a higher number the examples of sql-create-context soon chain into one group (``benchmarks/splits.py``).
"""
_PLACEHOLDER = re.compile(r"table(?:_name)?(?:_\d+)?\Z")
"""``table_name_47`` of sql-create-context, and its like: a name that says nothing about the table."""
# The form of nearly all scraped schemas, which the judge's reader would take twenty times as long to read.
_SIMPLE = re.compile(r"CREATE TABLE (\w+) \((\w+ \w+(?:, \w+ \w+)*)\)(?:; *|\Z)")


class Names(NamedTuple):
    """What a schema names, sorted and in lower case: its tables, if they have names of their own, and all columns."""

    tables: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Traits:
    """What an example has in common with others; equal values mean alike.

    Attributes:
        table: The number of a group of examples whose tables are connected.
        has_name: Whether the tables have names of their own. Otherwise the group is a guess from rare columns.
        columns: The names of all columns of the schema, sorted, in lower case.
        template: The gold without its names and values.
        words: The question's words and numbers, without case and punctuation.
    """

    table: int
    has_name: bool
    columns: tuple[str, ...]
    template: str
    words: str


def traits_of(examples: Iterable[Example]) -> dict[Example, Traits]:
    """The traits of each example; their tables are those of `table_groups`."""
    distinct = list(dict.fromkeys(examples))
    schemas = [names_of(example.schema) for example in distinct]
    return {
        example: Traits(table, bool(schema.tables), schema.columns, template_of(example.gold), _words(example.question))
        for example, table, schema in zip(distinct, table_groups(schemas), schemas, strict=True)
    }


def names_of(schema: str) -> Names:
    """The names in CREATE TABLE statements; text that declares no table is a table without a name, of its words."""
    found: dict[str, list[str]] = {}
    position = 0
    while match := _SIMPLE.match(schema, position):
        columns = [column.split(" ", 1)[0] for column in match[2].split(", ")]
        found.setdefault(match[1], []).extend(columns)
        position = match.end()
    if position < len(schema):
        try:
            read = read_schema(schema).tables.values()
            found = {table.name: [column.name for column in table.columns] for table in read}
        except SchemaError:
            found = {"table": re.findall(r"\w+", schema)}
    tables = {name for name in map(str.lower, found) if not _PLACEHOLDER.match(name)}
    columns = {column.lower() for columns in found.values() for column in columns}
    return Names(tuple(sorted(tables)), tuple(sorted(columns)))


def cluster_of(schema: str) -> Hashable:
    """What questions have in common that stand or fall together: the names of their tables.

    Where no table has a name of its own, it is the columns. Questions that share one table of several are not put
    together, for joins would soon connect all tables of a subject, or of a data set.
    """
    names = names_of(schema)
    return ("tables", *names.tables) if names.tables else ("columns", *names.columns)


def table_groups(schemas: Sequence[Names], rare: int = RARE) -> list[int]:
    """For each schema the number of its group, the index of the group's first schema.

    Two schemas belong to one group if a table's name occurs in both, or through others in between: a schema of two
    tables connects them. Where no table has a name of its own, schemas belong together if they share a column that at
    most ``rare`` such schemas have; with common columns only, if all columns are the same. That is a guess, which errs
    both ways: tables of one kind share columns, and scraped schemas of one table list the columns of one query each.
    """
    counts = Counter(column for schema in schemas if not schema.tables for column in schema.columns)
    links: list[list[Hashable]] = []
    for schema in schemas:
        telling: list[Hashable] = [("column", column) for column in schema.columns if counts[column] <= rare]
        links.append([("table", name) for name in schema.tables] or telling or [("columns", schema.columns)])
    return _connected(links)


def _connected(links: Iterable[Iterable[Hashable]]) -> list[int]:
    """For each item the number of its component: items are connected if they share a link, directly or by others."""
    parents: list[int] = []

    def root(item: int) -> int:
        while parents[item] != item:
            parents[item] = parents[parents[item]]
            item = parents[item]
        return item

    first: dict[Hashable, int] = {}
    for item, its_links in enumerate(links):
        parents.append(item)
        for link in its_links:
            one, other = sorted((root(first.setdefault(link, item)), root(item)))
            parents[other] = one
    return [root(item) for item in range(len(parents))]


def _words(question: str) -> str:
    return " ".join(re.findall(r"\w+", question.casefold())) or question
