"""An example: a question, the schema it is asked of, and the SQL that answers it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """One text-to-SQL example.

    Attributes:
        question: The question in natural language.
        schema: One or more ``CREATE TABLE`` statements separated by ``; ``.
        golds: Acceptable queries; the first is *the* gold, which training learns.
        domain: The subject of the schema (``"bakery"``), for generated examples.
        pattern: The kind and wording of the question (``"count-filter/2"``), for generated examples.
        difficulty: ``easy``, ``medium`` or ``hard``, where somebody has judged it.
        skills: What answering takes (``("join", "grouping")``), for hand-written suites.
    """

    question: str
    schema: str
    golds: tuple[str, ...]
    domain: str = ""
    pattern: str = ""
    difficulty: str = ""
    skills: tuple[str, ...] = ()

    @property
    def gold(self) -> str:
        """The query that training learns and that reports show."""
        return self.golds[0]
