"""Templates: the same for queries that differ in names and values, different for all others."""

import pytest

from tinkersql.corpus.templates import template_of


@pytest.mark.parametrize(
    ("sql", "template"),
    [
        ("SELECT name FROM ducks WHERE weight > 2", "SELECT n1 FROM n2 WHERE n3 > ?"),
        ('select date from game where year = "1999"', "SELECT n1 FROM n2 WHERE n3 = ?"),
        ("SELECT a, a FROM b WHERE a LIKE '%x%'", "SELECT n1 , n1 FROM n2 WHERE n1 LIKE ?"),
        ("SELECT COUNT(count) FROM t GROUP BY x LIMIT 3", "SELECT COUNT ( n1 ) FROM n2 GROUP BY n3 LIMIT ?"),
        ('SELECT a FROM b WHERE c = "x', 'select a from b where c = "x'),
        ("", ""),
    ],
)
def test_template(sql: str, template: str):
    assert template_of(sql) == template


def test_a_name_that_comes_again_is_not_another_name():
    assert template_of("SELECT a FROM b WHERE c > 1 OR c < 2") != template_of("SELECT a FROM b WHERE c > 1 OR d < 2")
