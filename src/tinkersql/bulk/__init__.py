"""Many pairs at once: a file, or a folder of parts, through the judge, here or on a Ray cluster.

Memory stays constant however long the input is, and nothing that was judged is lost: an interrupted run goes on where
it stopped. ``docs/equivalence.md`` shows the commands.
"""

from tinkersql.bulk.jobs import (
    Judge,
    Receipt,
    Task,
    Watcher,
    compare_file,
    compare_parts,
    compare_stream,
    finished,
    plan,
    task_for,
)

__all__ = [
    "Judge",
    "Receipt",
    "Task",
    "Watcher",
    "compare_file",
    "compare_parts",
    "compare_stream",
    "finished",
    "plan",
    "task_for",
]
