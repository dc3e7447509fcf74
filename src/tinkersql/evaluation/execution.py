"""Does an answer run on its schema at all? The judge's sandbox tells, and no gold is needed for it."""

from collections.abc import Iterable, Iterator

from tinkersql.equivalence import check_many, extract_sql


def errors_of(answers: Iterable[tuple[str, str]], workers: int) -> Iterator[str | None]:
    """For each schema with a model's raw answer: what the database has against the query, or None where it runs.

    An answer without SQL, and one whose schema cannot be read, has an error, too; it is one line.
    """
    for check in check_many(((schema, extract_sql(text)) for schema, text in answers), workers):
        yield None if check.runs else check.reason
