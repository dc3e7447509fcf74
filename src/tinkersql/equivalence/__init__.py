"""Do two SQL queries mean the same, when there is a schema and no data?

``compare`` builds small databases that tell queries apart and runs both; ``docs/equivalence.md`` explains the method.
Importing this package is cheap: the SQL parser is loaded in the worker process, or when it is first needed.
"""

from tinkersql.equivalence.client import Crew, Pair, check_many, compare, compare_many, sql_matches
from tinkersql.equivalence.extraction import extract_sql, looks_like_sql
from tinkersql.equivalence.verdicts import Assumptions, Check, Comparison, Problem, Table, Verdict, Witness
from tinkersql.equivalence.version import judge_version

__all__ = [
    "Assumptions",
    "Check",
    "Comparison",
    "Crew",
    "Pair",
    "Problem",
    "Table",
    "Verdict",
    "Witness",
    "check_many",
    "compare",
    "compare_many",
    "extract_sql",
    "judge_version",
    "looks_like_sql",
    "sql_matches",
]
