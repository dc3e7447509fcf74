"""Schemas as they are found: dumps, other dialects, scraped column names, and texts that are none."""

import pytest

from tinkersql.equivalence import Verdict, compare
from tinkersql.equivalence.schema import SchemaError, read_schema


@pytest.mark.parametrize(
    ("schema", "gold", "predicted"),
    [
        (
            "-- goods\nCREATE TABLE IF NOT EXISTS goods (id INTEGER PRIMARY KEY, -- key; of goods\n"
            " name VARCHAR(30) NOT NULL /* the, name */);",
            "SELECT name FROM goods WHERE id = 3",
            "SELECT g.name FROM goods AS g WHERE g.id = '3'",
        ),
        (
            "CREATE TABLE `goods` (`id` int(11) NOT NULL AUTO_INCREMENT, `name` varchar(30) COMMENT 'it''s; it',"
            " `kind` enum('a','b)') DEFAULT 'a', PRIMARY KEY (`id`), KEY `k` (`name`), FULLTEXT KEY `f` (`name`))"
            " ENGINE=InnoDB;",
            "SELECT name FROM goods WHERE kind = 'a'",
            "SELECT `name` FROM `goods` WHERE 'a' = `kind`",
        ),
        (
            "CREATE TABLE [dbo].[goods] ([id] [int] IDENTITY(1,1) NOT NULL, [name] [nvarchar](50) NULL,"
            " CONSTRAINT [pk] PRIMARY KEY CLUSTERED ([id] ASC)) ON [PRIMARY]\nGO",
            "SELECT name FROM goods WHERE id = 3",
            "SELECT [name] FROM [dbo].[goods] WHERE [id] = '3'",
        ),
        (
            "CREATE TABLE public.goods (id SERIAL PRIMARY KEY, price NUMERIC(10, 2) CHECK (price > 0 AND id <> 7),"
            " made TIMESTAMP WITHOUT TIME ZONE DEFAULT now(), tags TEXT[]);",
            "SELECT id FROM goods WHERE price > 3",
            "SELECT id FROM public.goods WHERE price > 3.0",
        ),
        (
            "CREATE TABLE a (x INTEGER, y INTEGER); INSERT INTO a VALUES (1, 'CREATE TABLE b (z INTEGER)');"
            " CREATE INDEX i ON a (x); CREATE VIEW v AS SELECT x FROM a; CREATE TABLE sqlite_sequence (name, seq)",
            "SELECT x FROM a WHERE y > 3",
            "SELECT a.x FROM a WHERE 3 < a.y",
        ),
        (
            "CREATE TABLE a (x INTEGER, y INTEGER GENERATED ALWAYS AS (x * 2) STORED, z INTEGER AS (x + 1))",
            "SELECT x FROM a WHERE y > z",
            "SELECT x FROM a WHERE z < y",
        ),
        ("```sql\nCREATE TABLE a (x INTEGER, y INTEGER)\n```", "SELECT x FROM a", "SELECT a.x FROM a"),
        ("CREATE TABLE a (x INTEGER, y INTEGER,", "SELECT x FROM a", "SELECT a.x FROM a"),
        ("CREATE TABLE a (x, y)", 'SELECT x FROM a WHERE y = "b"', "SELECT x FROM a WHERE y = 'b'"),
        (
            "CREATE TABLE a (x INTEGER)\nCREATE TABLE b (z INTEGER)",
            "SELECT x FROM a, b WHERE x = z",
            "SELECT x FROM b JOIN a ON z = x",
        ),
        (
            "CREATE TABLE t (1st_interest VARCHAR, money___$__ VARCHAR, w/l VARCHAR, win_% REAL, no. INTEGER)",
            'SELECT "1st_interest" FROM t WHERE "w/l" = \'L\' AND "win_%" > 5 AND "no." = 3',
            "SELECT 1st_interest FROM t WHERE [w/l] = 'L' AND `win_%` > 5 AND [no.] = 3",
        ),
        (
            "CREATE TABLE t (money___$__ VARCHAR, place VARCHAR)",
            "SELECT place FROM t WHERE money___$__ = 5",
            "SELECT t.place FROM t WHERE t.money___$__ = '5'",
        ),
        (
            "CREATE TABLE order (id INTEGER, group VARCHAR)",
            "SELECT group FROM order WHERE id = 1",
            'SELECT o."group" FROM "order" AS o WHERE o.id = 1',
        ),
        (
            'CREATE TABLE "my.table" ("a.b" INTEGER, "it\'s" INTEGER)',
            'SELECT "a.b" FROM "my.table" WHERE "it\'s" = 1',
            "SELECT [a.b] FROM `my.table` WHERE [it's] = 1",
        ),
        (
            "CREATE TABLE cfg (key VARCHAR(10), check VARCHAR, primary VARCHAR, unique VARCHAR)",
            "SELECT key FROM cfg WHERE check = 'x'",
            'SELECT "key" FROM cfg WHERE "check" = \'x\'',
        ),
        (
            "CREATE TABLE logs (rowid INTEGER, txt VARCHAR)",
            "SELECT rowid FROM logs WHERE txt = 'x'",
            "SELECT l.rowid FROM logs AS l WHERE l.txt = 'x'",
        ),
    ],
)
def test_the_tables_are_built(schema, gold, predicted):
    answer = compare(schema, gold, predicted)
    assert answer.verdict is Verdict.MATCH, answer.reason


def test_declared_types_keys_and_references_are_kept():
    table = read_schema(
        "CREATE TABLE u (x INTEGER PRIMARY KEY); CREATE TABLE t (a BIGINT UNSIGNED NOT NULL, [b] [nvarchar](50),"
        " 1st_interest VARCHAR, c INTEGER REFERENCES u, PRIMARY KEY (a, b), UNIQUE KEY k (c))"
    ).tables["t"]
    assert [(column.name, column.affinity, column.not_null) for column in table.columns] == [
        ("a", "INTEGER", True),
        ("b", "TEXT", False),
        ("1st_interest", "TEXT", False),
        ("c", "INTEGER", False),
    ]
    assert table.primary_key == ("a", "b")
    assert table.unique == [("c",)]
    assert table.foreign_keys == {"c": ("u", "x")}


@pytest.mark.parametrize(
    "schema",
    [
        "",
        "no schema",
        "CREATE TABLE",
        "CREATE TABLE ()",
        "CREATE TABLE x ()",
        "CREATE VIEW v AS SELECT 1",
        "\0",
        "\ud800",
    ],
)
def test_a_text_without_tables_is_the_gold_s_fault_and_said_so(schema):
    answer = compare(schema, "SELECT a FROM t", "SELECT a FROM t")
    assert answer.verdict is Verdict.GOLD_ERROR
    assert "schema" in answer.reason
    assert "\n" not in answer.reason
    with pytest.raises(SchemaError):
        read_schema(schema)


@pytest.mark.parametrize(
    ("gold", "named"),
    [("SELECT b FROM t", "b"), ("SELECT a FROM others", "others"), ("SELECT t.a FROM t JOIN u ON t.a = u.b", "u")],
)
def test_a_gold_of_another_schema_is_the_gold_s_fault_and_names_what_is_missing(gold, named):
    answer = compare("CREATE TABLE t (a INTEGER)", gold, "SELECT a FROM t")
    assert answer.verdict is Verdict.GOLD_ERROR
    assert named in answer.reason.split()[-1]


def test_wide_and_long_schemas_are_read():
    wide = "CREATE TABLE t (" + ", ".join(f"c{number} INTEGER" for number in range(150)) + ")"
    many = "; ".join(f"CREATE TABLE t{number} (a INTEGER)" for number in range(150))
    assert len(read_schema(wide).tables["t"].columns) == 150
    assert len(read_schema(many).tables) == 150
    assert compare(wide, "SELECT c7 FROM t WHERE c149 > 3", "SELECT c7 FROM t WHERE 3 < c149").verdict is Verdict.MATCH
