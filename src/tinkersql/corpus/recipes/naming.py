"""Other names for tables and columns, the same in schema and gold."""

import re
from collections.abc import Callable, Collection, Iterable
from random import Random

from tinkersql.corpus.recipes.drafts import Draft, is_usable
from tinkersql.corpus.recipes.pool import Pool
from tinkersql.corpus.recipes.words import split, words_of

_NAMELESS = re.compile(r"table_(?:name_)?[\d_]*\d\Z", re.IGNORECASE)
_SUBJECTS = tuple(
    (frozenset(words.split()), tuple(names.split()))
    for words, names in (
        ("incumbent", "elections representatives districts"),
        ("candidate", "elections races candidates"),
        ("driver lap", "race_results finishers"),
        ("driver constructor", "race_results entries"),
        ("chassis", "entries cars"),
        ("home away", "matches fixtures"),
        ("home visitor", "games fixtures"),
        ("played lost", "standings league_table"),
        ("gold silver", "medals medal_table"),
        ("pick", "draft_picks selections"),
        ("lane", "heats swimmers"),
        ("par", "golfers leaderboard"),
        ("surface", "finals tournaments"),
        ("directed", "episodes shows"),
        ("episode", "episodes broadcasts"),
        ("viewer", "episodes broadcasts"),
        ("mascot", "schools"),
        ("enrollment", "schools colleges"),
        ("callsign", "stations"),
        ("call sign", "stations"),
        ("frequency", "stations broadcasters"),
        ("icao", "airports"),
        ("ship", "ships"),
        ("nominee", "nominations awards"),
        ("award", "awards nominations"),
        ("swimsuit", "contestants"),
        ("rider", "riders race_results"),
        ("manager", "appointments staff"),
        ("coach", "coaches staff"),
        ("opponent", "matches games results"),
        ("attendance", "matches games"),
        ("song", "songs tracks"),
        ("artist", "releases songs"),
        ("album", "albums releases"),
        ("label", "releases"),
        ("film", "films"),
        ("director", "films productions"),
        ("author", "books publications"),
        ("player college", "players"),
        ("player", "players squad"),
        ("tournament", "tournaments results"),
        ("winner", "winners editions"),
        ("stadium", "stadiums clubs"),
        ("club", "clubs members"),
        ("win loss", "seasons standings"),
        ("team", "teams standings"),
        ("school", "schools"),
        ("population", "places towns"),
        ("county", "counties places"),
        ("district", "districts regions"),
        ("party", "parties members"),
        ("athlete", "athletes entrants"),
        ("rank nation", "rankings results"),
        ("engine", "vehicles engines"),
        ("model", "models products"),
        ("price", "products items"),
        ("species", "species"),
        ("airport", "airports"),
        ("gymnast", "gymnasts"),
        ("region", "regions"),
        ("character", "characters roles"),
        ("role", "roles credits"),
        ("competition", "competitions results"),
        ("event", "events results"),
        ("venue", "events venues"),
        ("season", "seasons"),
        ("station", "stations"),
        ("city", "cities places"),
        ("country", "countries entries"),
        ("nation", "nations entries"),
        ("title", "titles works"),
        ("location", "sites places"),
        ("name", "entries records listings"),
    )
)
"""What tables with such words in their columns are about, the surest signs first."""
_SHORT = {
    "number": "num",
    "average": "avg",
    "percentage": "pct",
    "percent": "pct",
    "quantity": "qty",
    "amount": "amt",
    "department": "dept",
    "address": "addr",
    "population": "pop",
    "position": "pos",
    "category": "cat",
    "temperature": "temp",
    "telephone": "tel",
    "points": "pts",
    "manager": "mgr",
    "minutes": "mins",
    "student": "stu",
    "employee": "emp",
    "customer": "cust",
    "organization": "org",
    "year": "yr",
    "location": "loc",
    "description": "descr",
}


def rename_tables(draft: Draft, rng: Random, pool: Pool) -> bool:
    """Call a table with a placeholder for a name after what it is about; where that is unclear, keep it.

    The columns tell it, those of other examples about the same table included, or else the words of the question that
    begin with a small letter; the others are mostly parts of values.
    """
    asked = [word for word in draft.question.split() if word[0].islower()]
    names: dict[str, str] = {}
    renamable = draft.renamable()
    for table, source in zip(draft.tables, draft.source_tables, strict=True):
        old = table.name.casefold()
        if not is_nameless(old) or old not in renamable:
            continue
        columns = [column.name for column in table.columns] + [name for name, _ in pool.siblings(source)]
        shut = draft.taken | draft.names | set(names.values())
        new = subject(columns, shut, rng) or subject([*columns, *asked], shut, rng)
        if new:
            names[old] = new
    draft.rename(names)
    return bool(names)


def is_nameless(table: str) -> bool:
    """Whether a table's name is a placeholder, such as ``table_name_7`` or ``table_1234_5``."""
    return _NAMELESS.match(table) is not None


def subject(texts: Iterable[str], shut: Collection[str], rng: Random) -> str:
    """A name for a table with such columns, none of ``shut``; empty where they do not tell."""
    words = frozenset().union(*map(words_of, texts))
    for signs, subjects in _SUBJECTS:
        free = [name for name in subjects if name not in shut]
        if signs <= words and free:
            return rng.choice(free)
    return ""


def rename_identifiers(draft: Draft, rng: Random, _: Pool) -> bool:
    """Write a schema's names in one other style: ``home_team``, ``homeTeam``, ``HomeTeam``, ``Home_Team`` or short."""
    style = rng.choices(_STYLES, _STYLE_WEIGHTS)[0]
    names: dict[str, str] = {}
    shut = draft.taken | draft.names
    renamable = draft.renamable()
    for written in [table.name for table in draft.tables] + [column.name for column in draft.columns()]:
        old = written.casefold()
        if old not in renamable or old in names or is_nameless(old):
            continue
        new = style(split(written))
        if new != written and is_usable(new) and (new.casefold() == old or new.casefold() not in shut):
            names[old] = new
            shut |= {new.casefold()}
    draft.rename(names)
    return bool(names)


def _snake(words: list[str]) -> str:
    return "_".join(words).lower()


def _camel(words: list[str]) -> str:
    return words[0].lower() + _pascal(words[1:]) if words else ""


def _pascal(words: list[str]) -> str:
    return "".join(word.capitalize() for word in words)


def _title(words: list[str]) -> str:
    return "_".join(word.capitalize() for word in words)


def _short(words: list[str]) -> str:
    return "_".join(_SHORT.get(word.lower(), word.lower()) for word in words)


_STYLES: tuple[Callable[[list[str]], str], ...] = (_snake, _camel, _pascal, _title, _short)
_STYLE_WEIGHTS = (8, 3, 2, 2, 3)
