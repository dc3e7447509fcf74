"""Retrieval: the nearest examples, the nearest last, the same every time, and never the question itself."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tinkersql.corpus import Example
from tinkersql.evaluation.retrieval import Retriever, without

DUCKS = "CREATE TABLE ducks (name VARCHAR, weight REAL)"
TRAINS = "CREATE TABLE trains (number VARCHAR, top_speed REAL)"
POOL = (
    Example("How many trains are there?", TRAINS, ("SELECT COUNT(*) FROM trains",)),
    Example("Which duck is the heaviest?", DUCKS, ("SELECT name FROM ducks ORDER BY weight DESC LIMIT 1",)),
    Example("List the top speed of every train.", TRAINS, ("SELECT top_speed FROM trains",)),
    Example("How many ducks are heavier than 3?", DUCKS, ("SELECT COUNT(*) FROM ducks WHERE weight > 3",)),
    Example("Welcher Vogel singt?", "CREATE TABLE birds (song VARCHAR)", ("SELECT song FROM birds",)),
)
WORDS = st.lists(
    st.sampled_from(["how", "many", "ducks", "trains", "heavier", "speed", "3", "zebra", "?"]), max_size=6
).map(" ".join)
EXAMPLES = st.builds(Example, WORDS, st.sampled_from([DUCKS, TRAINS, "()"]), st.just(("SELECT 1",)))


def test_the_nearest_example_comes_last() -> None:
    asked = Example("How many ducks are heavier than 5?", DUCKS, ("",))
    assert Retriever(POOL).nearest(asked, 2) == (POOL[1], POOL[3])


def test_words_inside_a_column_s_name_count() -> None:
    asked = Example("speed", "CREATE TABLE cars (speed REAL)", ("",))
    assert Retriever(POOL).nearest(asked, 1) == (POOL[2],)


def test_a_question_is_recognised_in_other_spelling() -> None:
    asked = replace(POOL[3], question="how many  DUCKS are heavier than 3?", golds=("SELECT 2",))
    assert without(POOL, [asked]) == (*POOL[:3], POOL[4])
    other_schema = replace(POOL[3], schema=TRAINS)
    assert without(POOL, [other_schema]) == POOL


@settings(deadline=None, max_examples=50)  # the first example imports the index
@given(st.lists(EXAMPLES, min_size=1, max_size=12), EXAMPLES, st.integers(1, 5))
def test_whatever_is_asked_there_are_examples_and_always_the_same(pool, asked, k) -> None:
    found = Retriever(pool).nearest(asked, k)
    assert len(found) == min(k, len(pool))
    assert all(example in pool for example in found)
    assert Retriever(pool).nearest(asked, k) == found
    if allowed := without(pool, [asked]):
        found = Retriever(allowed).nearest(asked, k)
        assert (asked.question, asked.schema) not in [(e.question, e.schema) for e in found]
