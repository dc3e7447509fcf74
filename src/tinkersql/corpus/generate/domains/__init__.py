"""The hand-written domains, and which of them only the test split sees. To add a domain, add it to its theme's list."""

from tinkersql.corpus.generate.domain import Domain
from tinkersql.corpus.generate.domains import crafts, culture, exploration, food, media, nature, sport, travel, work

DOMAINS: tuple[Domain, ...] = (
    *food.DOMAINS,
    *nature.DOMAINS,
    *travel.DOMAINS,
    *culture.DOMAINS,
    *work.DOMAINS,
    *sport.DOMAINS,
    *crafts.DOMAINS,
    *media.DOMAINS,
    *exploration.DOMAINS,
)

HELD_OUT_DOMAINS = frozenset(("vineyard", "shelter", "hotel", "library", "housing", "climbing", "greenhouse", "tram"))
