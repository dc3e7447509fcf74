"""Examples: read, split and described; `generate` makes new ones, `recipes` changes them."""

from tinkersql.corpus.examples import Example
from tinkersql.corpus.kinds import KINDS, kind_of
from tinkersql.corpus.leaks import LeakReport
from tinkersql.corpus.reading import BUILT_IN, HUB, Corpus, load, read_file, to_record
from tinkersql.corpus.splitting import SPLITS, Split, count_kinds, split

__all__ = [
    "BUILT_IN",
    "HUB",
    "KINDS",
    "SPLITS",
    "Corpus",
    "Example",
    "LeakReport",
    "Split",
    "count_kinds",
    "kind_of",
    "load",
    "read_file",
    "split",
    "to_record",
]
