import pytest

from tinkersql.corpus import Example
from tinkersql.corpus.leaks import LeakReport, find_leaks
from tinkersql.corpus.traits import traits_of

DUCKS = "CREATE TABLE ducks (name VARCHAR, weight REAL)"
TAUGHT = Example("Which ducks weigh 2 kilograms?", DUCKS, ("SELECT name FROM ducks WHERE weight = 2",))


def report(asked: Example, *taught: Example) -> LeakReport:
    rows = taught or (TAUGHT,)
    return find_leaks(rows, [asked], traits_of([*rows, asked]))


@pytest.mark.parametrize(
    ("asked", "copies", "shared"),
    [
        (TAUGHT, (1, 0, 0), (1, 1, 1)),
        # the words of the question, with another schema
        (
            Example("which ducks weigh 2 kilograms", "CREATE TABLE t_ducks (kg REAL)", ("SELECT * FROM t_ducks",)),
            (0, 1, 0),
            (0, 0, 0),
        ),
        # another number is another question, and a near duplicate
        (
            Example("Which ducks weigh 3 kilograms?", DUCKS, ("SELECT name FROM ducks WHERE weight = 3",)),
            (0, 0, 1),
            (1, 1, 1),
        ),
        # near, too, in another table of the same columns
        (
            Example("Which swans?", DUCKS.replace("ducks", "swans"), ("SELECT name FROM swans WHERE weight = 7",)),
            (0, 0, 1),
            (0, 1, 1),
        ),
        # another template over the same table
        (Example("How many ducks?", DUCKS, ("SELECT COUNT(*) FROM ducks",)), (0, 0, 0), (1, 1, 0)),
        # the same table, of which the query needs other columns
        (
            Example("How old?", "CREATE TABLE DUCKS (age REAL)", ("SELECT MAX(age) FROM DUCKS",)),
            (0, 0, 0),
            (1, 0, 0),
        ),
        # the same template over something else
        (
            Example("Whose?", "CREATE TABLE cars (owner VARCHAR, id INT)", ("SELECT owner FROM cars WHERE id = 2",)),
            (0, 0, 0),
            (0, 0, 1),
        ),
    ],
)
def test_what_is_alike_is_counted(asked, copies, shared) -> None:
    found = report(asked)
    assert (found.verbatim, found.same_words, found.near) == copies
    assert (found.table, found.columns, found.template) == shared


def test_a_question_is_counted_as_one_kind_of_copy() -> None:
    rows = [TAUGHT, Example("Which ducks weigh 2 kilograms?!", DUCKS, TAUGHT.golds)]
    found = find_leaks(rows, rows, traits_of(rows))
    assert (found.test, found.verbatim, found.same_words, found.near) == (2, 2, 0, 0)


def test_questions_without_words_are_not_all_the_same() -> None:
    assert report(Example("??", "CREATE TABLE a (b INT)", ("SELECT b FROM a",)), TAUGHT).same_words == 0
    other = Example("!!", "CREATE TABLE c (d INT)", ("SELECT MAX(d) FROM c",))
    assert report(Example("??", "CREATE TABLE a (b INT)", ("SELECT b FROM a",)), other).same_words == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CREATE TABLE t (a INT, b INT)", "CREATE TABLE t (b VARCHAR, A VARCHAR);"),
        ("CREATE TABLE t (a INT, b INT)", 'create table "t" ("a" INT, b DECIMAL(10, 2), PRIMARY KEY (a))'),
        ("CREATE TABLE t (a INT); CREATE TABLE u (b INT)", "CREATE TABLE t (a INT, b INT)"),
        ("CREATE TABLE t (größe INT)", "CREATE TABLE t (GRÖße VARCHAR)"),
    ],
)
def test_a_signature_is_the_set_of_column_names(one, other) -> None:
    rows = [Example("q", schema, ("SELECT 1",)) for schema in (one, other)]
    traits = traits_of(rows)
    assert traits[rows[0]].columns == traits[rows[1]].columns


@pytest.mark.parametrize("schema", ["no schema at all", "CREATE TABLE", "CREATE TABLE t (", "(", ";", "x" * 300_000])
def test_schemas_and_queries_that_nobody_can_read_have_traits(schema) -> None:
    row = Example("q", schema, ("SELECT 'unfinished",))
    assert report(row, row).verbatim == 1


def test_the_line_and_the_dictionary_say_the_same() -> None:
    found = report(TAUGHT)
    assert found.to_dict() == {
        **{"test": 1, "verbatim": 1, "same_words": 0, "near": 0},
        **{"table": 1, "guessed": 0, "columns": 1, "template": 1},
    }
    assert found.line == (
        "Leaks: of 1 test questions 1 stand in training word for word, 0 but for case and punctuation, "
        "0 as near duplicates; 1 share a table, 1 all columns, 1 a template."
    )


def test_a_table_that_only_its_columns_tell_is_called_a_guess() -> None:
    asked, taught = (
        Example(f"q{i}", f"CREATE TABLE table_name_{i} (rare INT, c{i} INT)", (f"SELECT c{i} FROM table_name_{i}",))
        for i in range(2)
    )
    found = report(asked, taught)
    assert (found.table, found.guessed) == (1, 1)
    assert "1 share a table (1 of them guessed from columns)," in found.line
