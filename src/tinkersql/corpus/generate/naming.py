"""The same domain with its names written in other ways: ``birthYear``, ``BirthYear``, ``Birth_Year``, ``birth_yr``."""

import re
from dataclasses import replace

from tinkersql.corpus.generate.domain import Column, Domain, Table

WRITTEN, OTHER_NUMBER, SHORT, CAMEL, PASCAL, TITLE = range(6)
NAMINGS = (WRITTEN, OTHER_NUMBER, SHORT, CAMEL, PASCAL, TITLE)
"""As written, tables in the other grammatical number, shortened words, and three ways to use capitals."""
WEIGHTS = (8, 4, 4, 3, 2, 2)

ABBREVIATIONS = {
    "altitude": "alt",
    "amount": "amt",
    "capacity": "cap",
    "centimetres": "cm",
    "commission": "comm",
    "date": "dt",
    "difficulty": "diff",
    "distance": "dist",
    "duration": "dur",
    "elevation": "elev",
    "height": "ht",
    "kilograms": "kg",
    "language": "lang",
    "manager": "mgr",
    "minutes": "mins",
    "nationality": "nat",
    "neighborhood": "nbhd",
    "number": "no",
    "passengers": "pax",
    "position": "pos",
    "premium": "prem",
    "quantity": "qty",
    "rating": "rtg",
    "region": "reg",
    "seconds": "secs",
    "specialty": "spec",
    "volume": "vol",
    "weight": "wt",
    "year": "yr",
}

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")


def namings_of(domain: Domain) -> tuple[Domain, ...]:
    """The domain in each of `NAMINGS`; words and values stay, only the names in SQL change."""
    return tuple(_named(domain, naming) for naming in NAMINGS)


def _named(domain: Domain, naming: int) -> Domain:
    tables = {table.name: _table_name(table, naming) for table in domain.tables}
    return Domain(
        domain.name,
        tuple(
            replace(
                table,
                name=tables[table.name],
                columns=tuple(_column(column, naming) for column in table.columns),
                participant=_name(table.participant, naming),
            )
            for table in domain.tables
        ),
        tuple(
            replace(
                link,
                child=tables[link.child],
                column=_name(link.column, naming),
                parent=tables[link.parent],
                key=_name(link.key, naming),
            )
            for link in domain.links
        ),
    )


def _column(column: Column, naming: int) -> Column:
    return replace(column, name=_name(column.name, naming))


def _table_name(table: Table, naming: int) -> str:
    one, many = (words.replace(" ", "_").replace("-", "_") for words in (table.noun, table.plural))
    name = table.name
    if naming in (OTHER_NUMBER, PASCAL):
        name = {one: many, many: one}.get(name.lower(), name)
    return name if naming == SHORT else _name(name, naming)


def _name(name: str, naming: int) -> str:
    if naming == SHORT:
        return "_".join(ABBREVIATIONS.get(part.lower(), part) for part in name.split("_"))
    if naming in (WRITTEN, OTHER_NUMBER):
        return name
    parts = [part.capitalize() for part in _PARTS.findall(name)]
    if naming == TITLE:
        return "_".join(parts)
    joined = "".join(parts)
    return joined[:1].lower() + joined[1:] if naming == CAMEL else joined
