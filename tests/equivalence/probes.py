"""Hostile predictions for the tests and for ``benchmarks/containment.py``, and pairs that must not notice them."""

from pathlib import Path

SCHEMA = "CREATE TABLE products (id INTEGER, name VARCHAR, price REAL)"
GOLD = "SELECT COUNT(*) FROM products WHERE price > 3"
CONTROLS = [
    (SCHEMA, GOLD, GOLD.replace("3", "4")),
    (SCHEMA, "SELECT name FROM products WHERE name LIKE 'A%'", "SELECT name FROM products WHERE name LIKE 'a%'"),
    (SCHEMA, "SELECT id, name FROM products ORDER BY name", "SELECT id, name FROM products ORDER BY name DESC"),
]
"""Pairs whose answers are compared before and after each probe: settings, collations, tables and the clock stay."""

MANY = ", ".join(f"products AS p{number}" for number in range(20))
ENDLESS = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r)"
LIMITED = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT {})"
LONG = "substr(replace(printf('%.999c', 'x'), 'x', 'aaa'), 1, 2900)"
"""An expression for a value about as long as values may be."""


def long_rows(value: str, condition: str = "1") -> str:
    """A query over long values, one for each of endlessly many rows."""
    return f"{ENDLESS}, v(s) AS (SELECT {LONG}) SELECT COUNT({value}) FROM r CROSS JOIN v WHERE {condition}"


def doubling(count: int, body: str) -> str:
    """Common table expressions of which each mentions the one before twice; ``body`` holds places for its name."""
    steps = "".join(f", c{i} AS ({body.format(f'c{i - 1}')})" for i in range(1, count))
    return f"WITH c0 AS (SELECT id FROM products){steps} SELECT COUNT(*) FROM c{count - 1}"


def probes(folder: Path) -> dict[str, str]:
    """By name, raw answers that attack; none of them means the same as ``GOLD``. They try to write into ``folder``."""
    return {**_files(folder), **_objects(), **_settings(), **_time(), **_memory(), **_texts(), **_shapes()}


def _files(folder: Path) -> dict[str, str]:
    return {
        "attach a file": f"ATTACH DATABASE '{folder}/a.db' AS other",
        "attach memory": "ATTACH ':memory:' AS other",
        "attach behind a query": f"SELECT * FROM products; ATTACH '{folder}/j.db' AS k",
        "detach": "DETACH DATABASE main",
        "vacuum into a file": f"VACUUM INTO '{folder}/b.db'",
        "writefile": f"SELECT writefile('{folder}/c.txt', 'x')",
        "readfile": "SELECT readfile('/etc/hostname')",
        "readfile in a condition": f"{GOLD} AND readfile('/etc/hostname') IS NULL",
        "edit": f"SELECT edit('{folder}/d.txt')",
        "load_extension": "SELECT load_extension('evil.so')",
        "load_extension, entry point": f"SELECT load_extension('{folder}/evil.so', 'init')",
        "load_extension, quoted": "SELECT \"load_extension\"('evil.so') FROM products",
        "shell output": f".output {folder}/e.txt",
        "shell command": f".shell touch {folder}/f.txt",
        "copy to a file": f"COPY products TO '{folder}/g.csv'",
        "into outfile": f"SELECT * FROM products INTO OUTFILE '{folder}/h.csv'",
        "full-text table": f"CREATE VIRTUAL TABLE v USING fts5(x, content='{folder}/i.db')",
        "fsdir": "SELECT COUNT(*) FROM fsdir('/etc')",
        "sort in temporary files": f"{ENDLESS} SELECT i FROM r ORDER BY 'long ' || i || {LONG}, -i",
    }


def _objects() -> dict[str, str]:
    return {
        "drop table": "DROP TABLE products",
        "delete": "DELETE FROM products",
        "delete returning": "DELETE FROM products RETURNING COUNT(*)",
        "insert returning": "INSERT INTO products VALUES (1, 'a', 1) RETURNING 1",
        "update": "UPDATE products SET price = 0",
        "update returning": "UPDATE products SET price = 0 RETURNING (SELECT COUNT(*) FROM products)",
        "upsert": "INSERT INTO products VALUES (1, 'a', 1) ON CONFLICT DO UPDATE SET price = 4",
        "replace": "REPLACE INTO products VALUES (1, 'x', 2)",
        "create table as": "CREATE TABLE x AS SELECT * FROM products",
        "temporary table of the same name": "CREATE TEMP TABLE products (id)",
        "temporary view of the same name": "CREATE TEMP VIEW products AS SELECT 1 AS id, 'a' AS name, 4 AS price",
        "view": "CREATE VIEW products2 AS SELECT 1",
        "trigger": "CREATE TRIGGER g AFTER INSERT ON products BEGIN SELECT 1; END",
        "temporary trigger": "CREATE TEMP TRIGGER g AFTER INSERT ON products BEGIN DELETE FROM products; END",
        "index with another collation": "CREATE UNIQUE INDEX i ON products (name COLLATE NOCASE)",
        "rename table": "ALTER TABLE products RENAME TO q",
        "add column": "ALTER TABLE products ADD COLUMN extra DEFAULT 1",
        "delete behind WITH": "WITH x AS (SELECT 1) DELETE FROM products",
        "insert behind WITH": "WITH x AS (SELECT 1) INSERT INTO products SELECT 1, 2, 3",
        "sqlite_master": "SELECT * FROM sqlite_master",
        "sqlite_schema": "SELECT COUNT(*) FROM sqlite_schema",
        "sqlite_temp_master": "SELECT COUNT(*) FROM sqlite_temp_master",
        "main.sqlite_master": "SELECT COUNT(*) FROM main.sqlite_master",
        "sqlite_master in a condition": f'{GOLD} AND EXISTS (SELECT 1 FROM "sqlite_master")',
        "sqlite_sequence": "SELECT COUNT(*) FROM sqlite_sequence",
        "pragma_table_info": "SELECT COUNT(*) FROM pragma_table_info('products')",
        "pragma_database_list": "SELECT COUNT(*) FROM pragma_database_list",
        "pragma function that sets": "SELECT COUNT(*) FROM pragma_case_sensitive_like(1)",
        "pragma_function_list": "SELECT COUNT(*) FROM products JOIN pragma_function_list ON 1",
        "json_each": "SELECT COUNT(*) FROM json_each('[1, 2]')",
        "json_tree": f"SELECT COUNT(*) FROM json_tree('{'[' * 1000}{']' * 1000}')",
        "generate_series": "SELECT COUNT(*) FROM generate_series(1, 1000000000)",
        "dbstat": "SELECT COUNT(*) FROM dbstat",
        "sqlite_stmt": "SELECT COUNT(*) FROM sqlite_stmt",
        "bytecode": "SELECT COUNT(*) FROM bytecode('SELECT 1')",
    }


def _settings() -> dict[str, str]:
    return {
        "PRAGMA writable_schema": "PRAGMA writable_schema=ON",
        "PRAGMA hard_heap_limit": "PRAGMA hard_heap_limit=0",
        "PRAGMA case_sensitive_like": "PRAGMA case_sensitive_like=ON",
        "PRAGMA behind a query": "SELECT 1; PRAGMA case_sensitive_like=ON",
        "PRAGMA recursive_triggers": "PRAGMA recursive_triggers=ON",
        "PRAGMA reverse_unordered_selects": "PRAGMA reverse_unordered_selects=ON",
        "PRAGMA encoding": "PRAGMA encoding='UTF-16'",
        "PRAGMA temp_store_directory": "PRAGMA temp_store_directory='/'",
        "PRAGMA query_only": "PRAGMA query_only=ON",
        "PRAGMA table_info": "PRAGMA table_info(products)",
        "explain": "EXPLAIN SELECT COUNT(*) FROM products",
        "explain query plan": "EXPLAIN QUERY PLAN SELECT COUNT(*) FROM products",
        "begin": "BEGIN",
        "begin exclusive": "BEGIN EXCLUSIVE",
        "commit": "COMMIT",
        "rollback": "ROLLBACK",
        "savepoint": "SAVEPOINT a",
        "release": "RELEASE a",
        "reindex": "REINDEX",
        "analyze": "ANALYZE",
        "vacuum": "VACUUM",
        "set": "SET NAMES utf8; SET GLOBAL x = 1",
        "random": "SELECT random()",
        "random in a condition": f"{GOLD} OR random() > 0",
        "random order": "SELECT id FROM products ORDER BY RANDOM() LIMIT 1",
        "randomblob": "SELECT hex(randomblob(8))",
        "clock": "SELECT strftime('%f %s', 'now'), julianday(), CURRENT_TIMESTAMP, unixepoch('subsec')",
        "sqlite_version": "SELECT sqlite_version()",
        "sqlite_source_id": "SELECT sqlite_source_id()",
        "compile options": "SELECT sqlite_compileoption_get(1), sqlite_compileoption_used('THREADSAFE')",
        "last_insert_rowid": "SELECT last_insert_rowid()",
        "changes": "SELECT changes(), total_changes()",
        "fts3_tokenizer": "SELECT fts3_tokenizer('simple', x'4141414141414141')",
        "subtype and pointers": "SELECT subtype(1), sqlite_offset(id), likelihood(1, 0.5) FROM products",
        "unknown collation": "SELECT name FROM products ORDER BY name COLLATE evil",
        "other collation": "SELECT COUNT(*) FROM products WHERE name = 'A' COLLATE RTRIM",
        "parameters": "SELECT ?1, :a, @b, $c FROM products",
        "a cursor that is left open": f"SELECT p0.id, p1.id FROM {MANY} LIMIT 6000",
    }


def _time() -> dict[str, str]:
    return {
        "endless recursion": f"{ENDLESS} SELECT COUNT(*) FROM r",
        "endless recursion, not aggregated": f"{ENDLESS} SELECT i FROM r",
        "endless recursion, behind LIMIT": f"{ENDLESS} SELECT i FROM r LIMIT 1 OFFSET 1000000000000",
        "recursion that doubles": "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i FROM r, (VALUES (1), (2))) "
        "SELECT COUNT(*) FROM r",
        "cross join of 20": f"SELECT COUNT(*) FROM {MANY}",
        "cross join of 64": "SELECT COUNT(*) FROM " + ", ".join(f"products p{i}" for i in range(64)),
        "left joins of 60": "SELECT COUNT(*) FROM products p0 "
        + " ".join(f"LEFT JOIN products p{i} ON p{i}.id <> p{i - 1}.id" for i in range(1, 60)),
        "natural joins of 60": "SELECT COUNT(*) FROM products " + "NATURAL JOIN products " * 60,
        "cross join beside the gold": f"{GOLD} AND (SELECT COUNT(*) FROM {MANY}) >= 0",
        "correlated subqueries": "SELECT COUNT(*) FROM products a WHERE "
        + "EXISTS (SELECT 1 FROM products b, products c, products d WHERE b.id + c.id + d.id = a.id AND " * 8
        + "0"
        + ")" * 8,
        "correlated, over constants": f"{ENDLESS} SELECT (SELECT COUNT(*) FROM r x WHERE x.i < y.i) FROM r y",
        "not in endless": f"{ENDLESS} SELECT COUNT(*) FROM products WHERE id NOT IN (SELECT -i FROM r)",
        "much on each database": f"{LIMITED.format(6_000)} SELECT COUNT(*) FROM products "
        "WHERE price > 4 AND (SELECT COUNT(*) FROM r) > 0",
        "searches on each database": f"{LIMITED.format(500)} SELECT COUNT(*) FROM products WHERE price > 4 "
        f"AND (SELECT COUNT(*) FROM r, (SELECT {LONG} AS s) WHERE s GLOB '*[b-za][b-za][b-za]b') = 0",
        "sorts on each database": f"{LIMITED.format(4_000)} SELECT COUNT(*) FROM products WHERE price > 4 "
        "AND 1 <= (SELECT i FROM r ORDER BY -i LIMIT 1)",
        "LIKE on long values": long_rows("s LIKE '%" + "a" * 90 + "b%'"),
        "LIKE with many wildcards": long_rows("s LIKE '" + "%a" * 48 + "b'"),
        "LIKE with underscores": long_rows("s LIKE '%" + "_" * 40 + "%" + "a_" * 20 + "b'"),
        "LIKE with escape": long_rows("s LIKE '%" + "a" * 90 + "b' ESCAPE '!'"),
        "LIKE, pattern too long": "SELECT COUNT(*) FROM products WHERE name LIKE '" + "%a" * 400 + "'",
        "GLOB with sets": long_rows("s GLOB '*" + "[b-za]" * 15 + "b'"),
        "GLOB with stars": long_rows("s GLOB '" + "a*" * 45 + "b'"),
        "GLOB with one large set": long_rows("s GLOB '*[" + "b" * 95 + "]'"),
        "many searches in one row": f"WITH v(s) AS (SELECT {LONG}) SELECT "
        + " + ".join("(s GLOB '*[b-z]b')" for _ in range(150))
        + " FROM v",
        "replace": long_rows("replace(s, 'a', 'b')"),
        "replace, long needle": long_rows("replace(s, substr(s, 1, 1400) || 'b', '')"),
        "replace chain": "SELECT replace(replace(replace(" + LONG + ", 'a', 'bb'), 'b', 'cc'), 'c', 'dd')",
        "instr, long needle": long_rows("instr(s, substr(s, 1, 1400) || 'b')"),
        "trim of many characters": long_rows("trim(s, replace(s, 'a', 'b') || 'a')"),
        "ltrim of many characters, quoted": long_rows('"ltrim" (s, s)'),
        "trim with a subquery": "SELECT trim(name, (SELECT group_concat(name) FROM products)) FROM products",
        "hex and quote": long_rows("hex(substr(s, 1, 1400)) || quote(s)"),
        "lower and upper": long_rows("lower(upper(lower(upper(lower(upper(s))))))"),
        "unicode": long_rows("unicode(substr(s, -1)) + length(s)"),
        "casts": long_rows("CAST(replace(s, 'a', '1') AS REAL) + CAST(replace(s, 'a', '1') AS INTEGER)"),
        "round": long_rows("round(1e300 / i, 30)"),
        "dates": long_rows("strftime('%J%J%J%J%J%J%J%J', i, '+1 month', 'weekday 1', '-1 year')"),
        "date modifiers": long_rows("date('2020-01-01', 'start of year', '+' || i || ' days', 'weekday 3')"),
        "long dates": long_rows("strftime(replace(s, 'aa', '%J'), i)"),
        "comparisons without case": long_rows("s || i", "s || 'b' = s || 'c' COLLATE NOCASE"),
        "sort of long values": f"{ENDLESS} SELECT {LONG} || i AS s FROM r ORDER BY s COLLATE NOCASE",
        "printf, wide": "SELECT printf('%900000000d', 1)",
        "printf, wide by argument": "SELECT printf('%.*c', 900000000, 'x')",
        "printf, quoted and joined": "SELECT \"printf\" ('%.' || '900000000' || 'c', 'x')",
        "printf, bracketed": "SELECT [printf]('%.' || '900000000' || 'c', 'x')",
        "printf, comment before the bracket": "SELECT printf/* */ (substr('%.900000000c', 1), 'x')",
        "format by column": "SELECT format(name, 900000000, 'x') FROM products",
        "printf, precise": "SELECT printf('%.9999f', 1e300), printf('%!.9999g', 1e-300)",
        "printf, many": "SELECT " + " || ".join(["printf('%.2900c', 'x')"] * 60),
        "CASE in CASE": "SELECT " + "CASE WHEN 1 THEN " * 500 + "1" + " END" * 500,
        "CASE, wide": "SELECT CASE id " + " ".join(f"WHEN {i} THEN {i}" for i in range(900)) + " END FROM products",
        "windows": "SELECT "
        + ", ".join(f"SUM(p{i}.id) OVER (ORDER BY p{i}.price)" for i in range(20))
        + f" FROM {MANY}",
        "window over endless": f"{ENDLESS} SELECT SUM(i) OVER (ORDER BY i DESC) FROM r",
        "window with a wide frame": f"{LIMITED.format(20_000)} "
        "SELECT group_concat(i) OVER (ORDER BY i ROWS BETWEEN 500 PRECEDING AND 500 FOLLOWING) FROM r",
        "window with a moving minimum": f"{LIMITED.format(20_000)} "
        "SELECT MIN(i) OVER (ORDER BY i DESC ROWS BETWEEN 9000 PRECEDING AND 9000 FOLLOWING EXCLUDE TIES) FROM r",
    }


def _memory() -> dict[str, str]:
    wide = ", ".join(f"printf('%.2000c', 'x') AS c{i}" for i in range(240))
    return {
        "zeroblob": "SELECT length(hex(zeroblob(900000000)))",
        "randomblob, large": "SELECT COUNT(*) FROM products WHERE length(randomblob(900000000)) > 0",
        "value that doubles": "WITH RECURSIVE d(s) AS (SELECT 'ab' UNION ALL SELECT s || s FROM d) "
        "SELECT length(s) FROM d",
        "group_concat over endless": f"{ENDLESS} SELECT group_concat(i) FROM r",
        "group_concat over a cross join": f"SELECT length(group_concat(p0.name)) FROM {MANY}",
        "group_concat by group": f"{ENDLESS} SELECT i, group_concat({LONG}) FROM r GROUP BY i",
        "distinct over a cross join": f"SELECT COUNT(DISTINCT p0.name || p1.name) FROM {MANY}",
        "distinct long values": f"{ENDLESS} SELECT COUNT(DISTINCT {LONG} || i) FROM r",
        "recursive set of long values": f"WITH RECURSIVE r(i, s) AS (SELECT 1, {LONG} UNION SELECT i + 1, s FROM r) "
        "SELECT COUNT(*) FROM r",
        "materialised long values": f"{ENDLESS}, m(s) AS MATERIALIZED (SELECT {LONG} || i FROM r) "
        "SELECT COUNT(*) FROM m, m",
        "sort of rows as long as may be": f"{ENDLESS} SELECT "
        + ", ".join(f"'{'x' * 190}' AS c{i}" for i in range(14))
        + " FROM r ORDER BY i DESC",
        "sort by long expressions": f"{ENDLESS} SELECT i FROM r ORDER BY "
        + ", ".join(f"'{'x' * 150}' || i" for i in range(14)),
        "many wide rows": f"{ENDLESS} SELECT {wide} FROM r",
        "many long rows": f"{ENDLESS} SELECT {LONG} FROM r",
        "many long rows of astral characters": f"{ENDLESS} SELECT replace(printf('%.700c', 'x'), 'x', '😀') FROM r",
        "many rows of numbers": f"{ENDLESS} SELECT " + ", ".join("i" for _ in range(249)) + " FROM r",
        "many blobs": f"{ENDLESS} SELECT CAST({LONG} AS BLOB) FROM r",
        "many NULLs": f"{ENDLESS} SELECT " + ", ".join(["NULL"] * 250) + " FROM r",
        "ephemeral sets": f"{ENDLESS} SELECT i FROM r UNION SELECT -i FROM r UNION SELECT i * 2 FROM r",
        "intersection of endless": f"{ENDLESS} SELECT i FROM r INTERSECT SELECT -i FROM r",
        "window that keeps all": f"{ENDLESS} SELECT LAG(i, 3) OVER (), NTILE(4) OVER (ORDER BY i) FROM r",
        "expressions that double": doubling(30, "SELECT x.id FROM {0} x, {0} y"),
        "unions that double": doubling(30, "SELECT id FROM {0} UNION ALL SELECT id FROM {0}"),
        "stars that double": doubling(30, "SELECT * FROM {0} x, {0} y"),
        "subqueries that double": doubling(30, "SELECT (SELECT id FROM {0}) + (SELECT id FROM {0}) AS id"),
        "expressions that double, fewer": doubling(14, "SELECT x.id FROM {0} x, {0} y"),
        "unions that double, fewer": doubling(9, "SELECT id FROM {0} UNION ALL SELECT id FROM {0}"),
        "subqueries that double, fewer": doubling(11, "SELECT (SELECT id FROM {0}) + (SELECT id FROM {0}) AS id"),
        "derived tables that double": "SELECT COUNT(*) FROM "
        + "(SELECT x.id FROM products x, " * 30
        + "products"
        + " y)" * 30,
        "many literals": "SELECT COUNT(*) FROM products WHERE id IN (" + ", ".join(map(str, range(30000))) + ")",
        "some literals": "SELECT COUNT(*) FROM products WHERE id IN (" + ", ".join(map(str, range(1500))) + ")",
        "long literals": "SELECT COUNT(*) FROM products WHERE name IN ('"
        + "', '".join(["y" * 2500, "z" * 2900])
        + "')",
        "a literal of 2,999 characters": f"SELECT COUNT(*) FROM products WHERE name <> '{'x' * 2999}'",
        "a literal of 7,000 characters": f"SELECT COUNT(*) FROM products WHERE name = '{'x' * 7000}'",
        "a pattern of long words": "SELECT COUNT(*) FROM products WHERE name LIKE '" + "word " * 500 + "%'",
    }


def _texts() -> dict[str, str]:
    million = 1_000_000
    return {
        "nothing": "",
        "spaces": " " * million,
        "line ends": "\n" * million,
        "mixed space": " \t\r\n\u2028\u3000\ufeff" * 100_000,
        "semicolons": ";" * 100_000,
        "a long literal": "SELECT '" + "x" * million + "'",
        "a long word": "SELECT " + "x" * million,
        "a long number": "SELECT " + "9" * million,
        "a number of 15,000 digits": "SELECT COUNT(*) FROM products WHERE price > " + "9" * 15_000,
        "quotes": "'" * million,
        "quotes behind SELECT": "SELECT " + "'" * 999_999,
        "double quotes": "SELECT " + '"' * 999_999,
        "backticks": "SELECT " + "`" * 999_999,
        "brackets": "SELECT " + "[" * million,
        "unclosed quotes by line": "SELECT 'a\n" * 50_000,
        "apostrophes in prose": "It's what they're after; don't: " * 30_000,
        "openings of comments": "/*" * 500_000,
        "openings of comments behind SELECT": "SELECT " + "/*" * 9_000,
        "closings of comments": "SELECT " + "*/" * 500_000,
        "comments": "SELECT " + "/**/" * 250_000 + "1",
        "line comments": "--\n" * 300_000,
        "dashes": "-" * million,
        "dashes behind SELECT": "SELECT " + "-" * million,
        "a comment in each place": "SELECT/**/" + "id/*x*/,/*y*/" * 1_000 + "id FROM products",
        "fences": "```" * 300_000,
        "fences with a language": "```sql\n" * 100_000,
        "special tokens": "<|a|>" * 200_000,
        "openings of special tokens": "<|" * 500_000,
        "closings of thoughts": "</think>" * 100_000,
        "opened thoughts": "<think>" * 100_000 + "SELECT 1",
        "labels": "Answer: " * 100_000,
        "label-like words": "a b " * 250_000 + ":",
        "digits and dots": "1. " * 300_000,
        "parentheses": "(" * million,
        "parentheses before SELECT": "(" * 100_000 + "SELECT 1",
        "WITH, again and again": "WITH a AS (" * 80_000,
        "WITH and spaces": "WITH" + " " * 200_000 + "x",
        "SELECT, again and again": "SELECT " * 140_000,
        "lines of SELECT": "SELECT id\n" * 100_000,
        "blank lines": "SELECT id" + "\n\n" * 300_000 + "FROM products",
        "lines of spaces": "SELECT id" + (" " * 50 + "\n") * 20_000,
        "a wide line of spaces": "SELECT id " + "\n" + " " * 500_000 + "x\n" + " " * 400_000,
        "marks": "SELECT " + "*" * 50_000,
        "dots": "SELECT a" + ".a" * 9_000,
        "NUL inside": "SELECT COUNT(*) FROM products\0 WHERE 1",
        "NULs": "\0" * 100_000,
        "NUL in a literal": "SELECT COUNT(*) FROM products WHERE name = 'a\0b'",
        "a lone surrogate in a literal": "SELECT '\ud800' FROM products",
        "lone surrogates": "\ud800\udfff",
        "a surrogate as a name": "SELECT \udc80 FROM products",
        "a surrogate in a comment": "SELECT COUNT(*) /* \ud800 */ FROM products",
        "an escape sequence": "SELECT \x1b[31mid FROM products",
        "other line ends": "SELECT\u2028COUNT(*)\u2029FROM\x85products",
        "a byte order mark": "\ufeffSELECT COUNT(*) FROM products",
        "full width": "ＳＥＬＥＣＴ COUNT(*) FROM products",
        "a bidirectional override": "SELECT COUNT(*) FROM products WHERE name = '\u202e a'",
        "invalid UTF-8 as a value": "SELECT CAST(x'ff80c0' AS TEXT), CAST(x'eda080' AS TEXT) FROM products",
        "invalid UTF-8 as a name": 'SELECT 1 AS "\udcff" FROM products',
        "unclosed comment": "SELECT /* unclosed",
        "unclosed literal": "SELECT 'unclosed",
    }


def _shapes() -> dict[str, str]:
    return {
        "3,000 parentheses": "SELECT " + "(" * 3000 + "1" + ")" * 3000,
        "150 parentheses": "SELECT " + "(" * 150 + "1" + ")" * 150 + " FROM products",
        "30 parentheses with a column": "SELECT COUNT(*) FROM products WHERE " + "(" * 30 + "price = 4" + ")" * 30,
        "parentheses that do not close": "SELECT COUNT(*) FROM products WHERE " + "(" * 60 + "price > 3",
        "5,000 NOT": "SELECT " + "NOT " * 5000 + "1",
        "999 signs": "SELECT " + "-" * 999 + "1",
        "7,000 tildes": "SELECT " + "~" * 7000 + "1",
        "40,000 sums": "SELECT 1" + " + 1" * 40000,
        "1,500 sums": "SELECT 1" + " + 1" * 1500 + " FROM products",
        "150 sums": "SELECT id" + " + 1" * 150 + " FROM products",
        "10,000 ANDs": GOLD + " AND 1" * 10_000,
        "1,200 ANDs": GOLD + " AND 0=1" * 900,
        "190 ANDs": GOLD + " AND price < 1" * 190,
        "190 ORs of pairs": "SELECT COUNT(*) FROM products WHERE "
        + " OR ".join(f"(price = {i} AND name = 'n{i}')" for i in range(190)),
        "ANDs of ORs": "SELECT COUNT(*) FROM products WHERE " + " AND ".join(["(id = 1 OR price = 2)"] * 190),
        "10,000 UNIONs": "SELECT 1" + " UNION SELECT 1" * 10_000,
        "500 UNIONs": "SELECT 1" + " UNION SELECT 1" * 500,
        "49 UNIONs": "SELECT id FROM products" + " UNION SELECT price FROM products" * 49,
        "VALUES of 3,000": "VALUES " + ", ".join(["(1)"] * 3000),
        "3,000 columns": "SELECT " + ", ".join("id" for _ in range(3000)) + " FROM products",
        "200 columns": "SELECT "
        + ", ".join("id" for _ in range(200))
        + " FROM products GROUP BY "
        + ", ".join(map(str, range(1, 200))),
        "stars": "SELECT " + ", ".join("*" for _ in range(80)) + " FROM products",
        "200 derived tables": "SELECT * FROM " + "(SELECT * FROM " * 200 + "products" + ")" * 200,
        "25 derived tables": "SELECT COUNT(*) FROM " + "(SELECT * FROM " * 25 + "products" + ")" * 25,
        "60 subqueries": "SELECT " + "(SELECT " * 60 + "1" + ")" * 60,
        "30 subqueries in conditions": "SELECT COUNT(*) FROM products WHERE "
        + "id IN (SELECT id FROM products WHERE " * 30
        + "1"
        + ")" * 30,
        "nested functions": "SELECT " + "abs(" * 190 + "id" + ")" * 190 + " FROM products",
        "1,000 nested functions": "SELECT " + "COALESCE(1, " * 600 + "1" + ")" * 600,
        "nested casts": "SELECT " + "CAST(" * 100 + "id" + " AS INT)" * 100 + " FROM products",
        "nested BETWEEN": "SELECT id" + " BETWEEN 1 AND id" * 100 + " FROM products",
        "nested CASE": "SELECT " + "CASE WHEN id = 1 THEN " * 60 + "1" + " ELSE 2 END" * 60 + " FROM products",
        "dialect functions that fail": "SELECT " + ", ".join(f"DATE_TRUNC('month', f{i}(x))" for i in range(250)),
        "dialect functions, nested": "SELECT " + "CONCAT(YEAR(" * 60 + "id" + "), 'a')" * 60 + " FROM products",
        "brackets of T-SQL": "SELECT TOP 5 " + ", ".join(f"[c{i}]" for i in range(900)) + " FROM [products]",
        "arrays": "SELECT " + "[" * 200 + "1" + "]" * 200,
        "types": "SELECT CAST(id AS " + "ARRAY<" * 200 + "INT" + ">" * 200 + ") FROM products",
        "intervals": "SELECT " + "INTERVAL '1' DAY + " * 400 + "1",
        "double-quoted names that mean nothing": "SELECT COUNT(*) FROM products WHERE "
        + " AND ".join(f'name = "v{i}"' for i in range(190)),
        "many aliases": "SELECT COUNT(*) FROM products WHERE id IN (SELECT "
        + ", ".join(f"id AS a{i}" for i in range(700))
        + " FROM products)",
        "ON chains": "SELECT COUNT(*) FROM products a "
        + " ".join(f"JOIN products b{i} ON a.id = b{i}.id" for i in range(60)),
        "comma joins with conditions": f"SELECT COUNT(*) FROM {MANY} WHERE "
        + " AND ".join(f"p{i}.id = p{(i * 7 + 1) % 20}.price" for i in range(20)),
    }
