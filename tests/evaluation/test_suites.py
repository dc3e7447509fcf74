"""The five novel questions: their golds run, and give what a person would answer."""

import sqlite3

from tinkersql.evaluation.suites import EXERCISE

ROWS = {
    "employees": [(1, "Ann", 10.0, "engineering"), (2, "Bob", 12.0, "sales"), (3, "Cid", 9.0, "engineering")],
    "products": [(1, "pen", 3.0, "office"), (2, "desk", 50.0, "office"), (3, "lamp", 51.0, "home")],
    "students": [(1, "Ann", 70, "science"), (2, "Bob", 90, "art"), (3, "Cid", 80, "science")],
    "orders": [
        (1, "Ann", 5.0, "2024-01-01"),
        (2, "Bob", 9.0, "2024-01-02"),
        (3, "Ann", 6.0, "2024-01-03"),
        (4, "Cid", 7.0, "2024-01-04"),
        (5, "Dee", 1.0, "2024-01-05"),
    ],
    "courses": [(1, "algebra", "maths"), (2, "geometry", "maths"), (3, "poetry", "arts")],
    "enrollments": [(1, 1, "A"), (1, 2, "B"), (2, 1, "A"), (3, 3, "C")],
}
ANSWERS = [
    [[("Ann",), ("Cid",)]],
    [[(1,)]],
    [[(80,)]],
    [[("Ann",), ("Bob",), ("Cid",)], [("Ann", 11.0), ("Bob", 9.0), ("Cid", 7.0)]],
    [[("arts", 1), ("maths", 3)], [("arts", 1), ("maths", 2)]],
]


def test_every_gold_of_the_five_gives_the_answer_to_its_question():
    assert [example.difficulty for example in EXERCISE] == ["easy", "easy", "medium", "medium", "hard"]
    for example, answers in zip(EXERCISE, ANSWERS, strict=True):
        connection = sqlite3.connect(":memory:")
        connection.executescript(example.schema)
        for table, rows in ROWS.items():
            if f"CREATE TABLE {table} " in example.schema:
                connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        assert [connection.execute(gold).fetchall() for gold in example.golds] == answers
