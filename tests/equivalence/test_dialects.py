"""Spellings of other dialects: what can be said in SQLite is understood, slips and the unsayable are errors."""

import pytest

from tinkersql.equivalence import Verdict, compare

SCHEMA = (
    "CREATE TABLE towns (id INTEGER, name VARCHAR, county VARCHAR, people INTEGER, founded DATE);"
    "CREATE TABLE fairs (id INTEGER, town_id INTEGER, held DATE, visitors INTEGER, price VARCHAR)"
)
IN_1850 = "SELECT name FROM towns WHERE strftime('%Y', founded) = '1850'"
LARGEST = "SELECT name FROM towns ORDER BY people DESC LIMIT 3"
SEA = "SELECT name FROM towns WHERE name LIKE '%sea%'"


def verdict(gold, predicted, **options):
    answer = compare(SCHEMA, gold, predicted, **options)
    return answer.verdict, answer.reason


@pytest.mark.parametrize(
    ("gold", "predicted"),
    [
        # parts of dates
        (IN_1850, "SELECT name FROM towns WHERE EXTRACT(YEAR FROM founded) = 1850"),
        (IN_1850, "SELECT name FROM towns WHERE EXTRACT(year FROM founded::date) = '1850'"),
        (IN_1850, "SELECT name FROM towns WHERE DATE_PART('year', founded) = 1850"),
        (IN_1850, "SELECT name FROM towns WHERE DATEPART(yyyy, founded) = 1850"),
        (IN_1850, "SELECT name FROM towns WHERE DATE_FORMAT(founded, '%Y') = '1850'"),
        (IN_1850, "SELECT name FROM towns WHERE TO_CHAR(founded, 'YYYY') = '1850'"),
        (IN_1850, "SELECT name FROM towns WHERE FORMAT(founded, 'yyyy') = '1850'"),
        (IN_1850, "SELECT name FROM towns WHERE DATE_TRUNC('year', founded) = '1850-01-01'"),
        # literal dates and intervals
        (IN_1850, "SELECT name FROM towns WHERE founded >= DATE '1850-01-01' AND founded < DATE '1851-01-01'"),
        (IN_1850, "SELECT name FROM towns WHERE founded BETWEEN '1850-01-01'::date AND '1850-12-31'::date"),
        (
            IN_1850,
            "SELECT name FROM towns WHERE founded >= '1850-01-01' AND founded < DATE '1850-01-01' + INTERVAL '1 year'",
        ),
        (
            IN_1850,
            "SELECT name FROM towns WHERE founded >= '1850-01-01' AND founded < DATE_ADD('1850-01-01', "
            "INTERVAL 1 YEAR)",
        ),
        (
            IN_1850,
            "SELECT name FROM towns WHERE founded >= '1850-01-01' AND founded < DATEADD(year, 1, '1850-01-01')",
        ),
        # the clock
        (
            "SELECT id FROM fairs WHERE held > date('now', '-30 day')",
            "SELECT id FROM fairs WHERE held > DATE_SUB(CURDATE(), INTERVAL 30 DAY)",
        ),
        (
            "SELECT id FROM fairs WHERE held > date('now', '-30 day')",
            "SELECT id FROM fairs WHERE held > CURRENT_DATE - INTERVAL '30 days'",
        ),
        ("SELECT id FROM fairs WHERE held < datetime('now')", "SELECT id FROM fairs WHERE held < GETDATE()"),
        ("SELECT id FROM fairs WHERE held < datetime('now')", "SELECT id FROM fairs WHERE held < NOW()"),
        ("SELECT id FROM fairs WHERE held < date('now')", "SELECT id FROM fairs WHERE held < date()"),
        # differences of dates
        (
            "SELECT id FROM fairs WHERE julianday(held) - julianday('2010-01-01') > 9",
            "SELECT id FROM fairs WHERE DATEDIFF(held, '2010-01-01') > 9",
        ),
        (
            "SELECT id FROM fairs WHERE julianday(held) - julianday('2010-01-01') > 9",
            "SELECT id FROM fairs WHERE DATEDIFF(day, '2010-01-01', held) > 9",
        ),
        (
            "SELECT strftime('%Y', 'now') - strftime('%Y', founded) FROM towns",
            "SELECT DATEDIFF(YEAR, founded, GETDATE()) FROM towns",
        ),
        (
            "SELECT strftime('%Y', 'now') - strftime('%Y', founded) FROM towns",
            "SELECT YEAR(CURDATE()) - YEAR(founded) FROM towns",
        ),
        # patterns
        (SEA, "SELECT name FROM towns WHERE name ~* 'sea'"),
        (SEA, "SELECT name FROM towns WHERE name REGEXP '.*sea.*'"),
        (SEA, "SELECT name FROM towns WHERE POSITION('sea' IN LOWER(name)) > 0"),
        (SEA, "SELECT name FROM towns WHERE CHARINDEX('sea', LOWER(name)) > 0"),
        (SEA, "SELECT name FROM towns WHERE name LIKE CONCAT('%', 'sea', '%')"),
        (
            "SELECT name FROM towns WHERE name LIKE 'A%' OR name LIKE 'B%'",
            "SELECT name FROM towns WHERE name RLIKE '^[ab]'",
        ),
        (
            "SELECT name FROM towns WHERE name LIKE 'A%' OR name LIKE 'B%'",
            "SELECT name FROM towns WHERE name REGEXP '^a|^b'",
        ),
        # texts
        ("SELECT name || ', ' || county FROM towns", "SELECT CONCAT(name, ', ', county) FROM towns"),
        ("SELECT name || ', ' || county FROM towns", "SELECT CONCAT_WS(', ', name, county) FROM towns"),
        ("SELECT name || ', ' || county FROM towns", "SELECT [name] + ', ' + [county] FROM dbo.towns"),
        (
            "SELECT LENGTH(name), SUBSTR(name, 1, 2), SUBSTR(name, -2) FROM towns",
            "SELECT LEN(name), LEFT(name, 2), RIGHT(name, 2) FROM towns",
        ),
        (
            "SELECT SUBSTR(name, 1, INSTR(name || ' ', ' ') - 1) FROM towns",
            "SELECT SPLIT_PART(name, ' ', 1) FROM towns",
        ),
        (
            "SELECT county, GROUP_CONCAT(name, '; ') FROM towns GROUP BY county",
            "SELECT county, STRING_AGG(name, '; ') FROM towns GROUP BY county",
        ),
        (
            "SELECT county, GROUP_CONCAT(name, '; ') FROM towns GROUP BY county",
            "SELECT county, GROUP_CONCAT(name SEPARATOR '; ') FROM towns GROUP BY county",
        ),
        # conditions, numbers, casts
        ("SELECT COALESCE(county, 'none') FROM towns", "SELECT ISNULL(county, 'none') FROM towns"),
        ("SELECT COALESCE(county, 'none') FROM towns", "SELECT NVL(county, 'none') FROM towns"),
        ("SELECT name FROM towns WHERE county IS NULL", "SELECT name FROM towns WHERE ISNULL(county)"),
        ("SELECT name FROM towns WHERE county IS NULL", "SELECT name FROM towns WHERE county <=> NULL"),
        (
            "SELECT CASE WHEN people > 9 THEN 'town' ELSE 'farm' END FROM towns",
            'SELECT IF(people > 9, "town", "farm") FROM towns',
        ),
        ("SELECT COUNT(CASE WHEN people > 9 THEN 1 END) FROM towns", "SELECT COUNTIF(people > 9) FROM towns"),
        ("SELECT MAX(people, 9), MIN(people, 9) FROM towns", "SELECT GREATEST(people, 9), LEAST(people, 9) FROM towns"),
        ("SELECT CAST(price AS INTEGER) FROM fairs", "SELECT price::int FROM fairs"),
        ("SELECT CAST(price AS INTEGER) FROM fairs", "SELECT CONVERT(price, SIGNED) FROM fairs"),
        ("SELECT CAST(price AS INTEGER) FROM fairs", "SELECT SAFE_CAST(price AS INT64) FROM fairs"),
        # clauses
        (LARGEST, "SELECT TOP (3) [name] FROM [dbo].[towns] ORDER BY [people] DESC"),
        (LARGEST, "SELECT name FROM towns ORDER BY people DESC FETCH FIRST 3 ROWS ONLY"),
        (
            "SELECT name FROM towns ORDER BY id LIMIT 3 OFFSET 2",
            "SELECT name FROM towns ORDER BY id OFFSET 2 ROWS FETCH NEXT 3 ROWS ONLY",
        ),
        ("SELECT name FROM towns ORDER BY id LIMIT -1 OFFSET 2", "SELECT name FROM towns ORDER BY id OFFSET 2"),
        ("SELECT name FROM towns WHERE people > 9", "SELECT t.name FROM public.towns t WHERE t.people > 9 FOR UPDATE"),
        (
            "SELECT name FROM towns WHERE people > 9",
            "SELECT public.towns.name FROM public.towns WHERE public.towns.people > 9",
        ),
        ("SELECT name FROM towns WHERE people > 9", "SELECT name FROM `project.data.towns` WHERE people > 9"),
        ("SELECT name FROM towns WHERE people > 9", "SELECT name FROM towns WITH (NOLOCK) WHERE people > 9"),
        ("SELECT name FROM towns WHERE county = 'Kent'", "SELECT name FROM towns WHERE county = N'Kent'"),
        ("SELECT name FROM towns WHERE county = 'O''Dea'", "SELECT name FROM towns WHERE county = 'O\\'Dea'"),
        ("SELECT name, county FROM towns", "SELECT * EXCEPT (id, people, founded) FROM towns"),
        (
            "SELECT name FROM towns UNION SELECT county FROM towns",
            "(SELECT name FROM towns) UNION (SELECT county FROM towns);",
        ),
        (
            "SELECT name FROM towns EXCEPT SELECT county FROM towns",
            "SELECT name FROM towns MINUS SELECT county FROM towns",
        ),
        # quantifiers, ties
        (
            "SELECT name FROM towns WHERE people = (SELECT MAX(people) FROM towns)",
            "SELECT name FROM towns WHERE people >= ALL (SELECT people FROM towns)",
        ),
        (
            "SELECT name FROM towns WHERE people < (SELECT MAX(people) FROM towns)",
            "SELECT name FROM towns WHERE people < ANY (SELECT people FROM towns)",
        ),
        (
            "SELECT name FROM towns WHERE id IN (SELECT town_id FROM fairs)",
            "SELECT name FROM towns WHERE id = ANY (SELECT town_id FROM fairs)",
        ),
        (
            "SELECT name FROM towns WHERE id NOT IN (SELECT town_id FROM fairs)",
            "SELECT name FROM towns WHERE id <> ALL (SELECT town_id FROM fairs)",
        ),
        (
            "SELECT name FROM towns WHERE people = (SELECT MAX(people) FROM towns)",
            "SELECT TOP 1 WITH TIES name FROM towns ORDER BY people DESC",
        ),
    ],
)
def test_what_another_dialect_says_is_understood(gold, predicted):
    assert verdict(gold, predicted)[0] == Verdict.MATCH


@pytest.mark.parametrize(
    ("gold", "predicted"),
    [
        (IN_1850, "SELECT name FROM towns WHERE YEAR(founded) = 1851"),
        (IN_1850, "SELECT name FROM towns WHERE DATE_FORMAT(founded, '%y') = '1850'"),
        (IN_1850, "SELECT name FROM towns WHERE founded >= DATE '1850-01-01' AND founded < DATE '1850-12-31'"),
        (LARGEST, "SELECT TOP 2 name FROM towns ORDER BY people DESC"),
        (SEA, "SELECT name FROM towns WHERE name ILIKE 'sea%'"),
        (SEA, "SELECT name FROM towns WHERE name REGEXP '^sea'"),
        ("SELECT name || ', ' || county FROM towns", "SELECT CONCAT(name, county) FROM towns"),
        (
            "SELECT name FROM towns WHERE people > (SELECT MAX(people) FROM towns WHERE county = 'Kent')",
            "SELECT name FROM towns WHERE people > ALL (SELECT people FROM towns WHERE county = 'Kent')",
        ),
        (
            "SELECT name FROM towns ORDER BY id LIMIT 3 OFFSET 2",
            "SELECT name FROM towns ORDER BY id OFFSET 3 ROWS FETCH NEXT 2 ROWS ONLY",
        ),
    ],
)
def test_what_is_understood_is_still_compared(gold, predicted):
    assert verdict(gold, predicted)[0] in (Verdict.DIFFERENT, Verdict.PREDICTION_ERROR)


@pytest.mark.parametrize(
    "predicted",
    [
        # SQLite has no way to say it
        "SELECT STDDEV(people) FROM towns",
        "SELECT name FROM towns WHERE name REGEXP '(a+)+$'",
        "SELECT TOP 10 PERCENT name FROM towns",
        "SELECT county, COUNT(*) FROM towns GROUP BY county WITH ROLLUP",
        "SELECT name INTO others FROM towns",
        "SELECT AVERAGE(people) FROM towns",
        # slips that a lenient parser would forgive
        "SELECT name, FROM towns",
        "SELECT , name FROM towns",
        "SELECT name FROM towns WHERE people BETWEEN 1 9",
        "SELECT name FROM towns WHERE county = 'Kent' 'Essex'",
        "SELECT name FROM towns * AS t",
        "SELECT name FROM . towns",
        "SELECT AS name FROM towns",
        "SELECT name FROM towns ORDER BY name LIMIT 1 UNION SELECT county FROM towns",
        "SELECT name FROM towns WHERE people > > 9",
        "SELECT name FROM towns ORDER BY , name",
        "SELECT name FROM towns WHERE people > 1,000",
        "SELECT name FROM towns WHERE county IN ('Kent',",
        "SELECT name FROM towns WHERE people > 9 GROUP",
        "SELECT 2name FROM towns",
        # names that are none, in quotes of any kind, whatever dialect the rest is in
        "SELECT `nmae` FROM towns WHERE YEAR(founded) = 1850",
        "SELECT TOP 1 [nmae] FROM towns",
        'SELECT COUNT("nmae") FROM towns WHERE YEAR(founded) = 1850',
        "SELECT name FROM towns WHERE county = `Kent`",
        "SELECT name FROM towns WHERE county = [Kent]",
        "SELECT `towns.name` FROM towns",
        # SQLite's hidden column is no column of the schema
        "SELECT rowid FROM towns",
        "SELECT COUNT(t._rowid_) FROM towns AS t",
        "SELECT name FROM towns ORDER BY oid",
    ],
)
def test_what_no_database_would_run_is_an_error(predicted):
    assert verdict("SELECT name FROM towns WHERE county = 'Kent'", predicted)[0] == Verdict.PREDICTION_ERROR


def test_a_value_that_the_gold_has_is_not_counted_for_a_column():
    predicted = 'SELECT COUNT("Kent") FROM towns WHERE county = "Kent"'
    assert verdict("SELECT COUNT(*) FROM towns WHERE county = 'Kent'", predicted)[0] == Verdict.PREDICTION_ERROR


def test_the_word_now_as_a_value_is_no_clock():
    gold = "SELECT id FROM fairs WHERE price = 'now'"
    assert verdict(gold, "SELECT id FROM fairs WHERE price = 'NOW'")[0] == Verdict.MATCH
    assert verdict(gold, "SELECT id FROM fairs WHERE price = '2024-06-15 12:30:00'")[0] == Verdict.DIFFERENT
