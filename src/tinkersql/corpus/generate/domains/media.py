"""Podcasts, newspapers, orchestras and letters: three tables that follow each other."""

from tinkersql.corpus.generate.domain import (
    BIRTH_SPAN,
    Domain,
    Link,
    Table,
    count,
    date,
    key,
    label,
    number,
    text,
    year,
)

PODCAST = Domain(
    "podcast",
    (
        Table(
            "networks",
            "network",
            "networks",
            (
                key("network_id"),
                label("network_name", "Earshot, Loudmouth, Blue Mic, Wavelength, Tonal, Quiet Room", words="name"),
                text(
                    "hq_city",
                    "Toronto, Berlin, Melbourne, Chicago, Leeds",
                    "based in {}",
                    "in {}",
                    words="home city",
                    plural="home cities",
                    gathers=True,
                ),
                text("ceo", "Dana Cole, Marc Weiss, Olu Ade, Fay Chan", "led by {}", words="chief executive"),
                year("launched", "launched", "launch year", 2004, 2022),
            ),
        ),
        Table(
            "podcasts",
            "podcast",
            "podcasts",
            (
                key("podcast_id"),
                label("title", "Deep Talk, Cold Trail, Money Minute, Star Stuff, Kitchen Notes, Past Lives, Code Red"),
                text("topic", "science, crime, finance, cooking, sports", "about {}", "on the topic of {}"),
                text("lang", "English, German, Dutch, Hindi", "in {}", "recorded in {}", words="language"),
                number("rating_avg", 1, 5, 0.1, words="listener rating", additive=False),
                number("ad_income", 500, 80000, 500, "dollars", words="advertising income"),
                key("network_id"),
            ),
        ),
        Table(
            "episodes",
            "episode",
            "episodes",
            (
                key("ep_id"),
                label(
                    "ep_title",
                    "Pilot, The Cold Case, Big Bang, Salt and Fire, Final Whistle, Lost Tapes, Dark Matter",
                    words="title",
                ),
                text("guest", "Ann Lowell, Rajiv Menon, Kate Orr, Bo Lindgren", "with {} as the guest"),
                number(
                    "dur_min",
                    8,
                    180,
                    1,
                    "minutes",
                    words="duration",
                    verb="last",
                    extremes=("longest", "shortest"),
                    comparative=("longer", "shorter"),
                    superlative=("longest", "shortest"),
                ),
                count("downloads", 500, 200000, "downloads", 500),
                date("aired_on", "aired", "air date"),
                key("podcast_id"),
            ),
        ),
    ),
    (
        Link("podcasts", "network_id", "networks", "network_id", "published by", "publish", "publishes"),
        Link("episodes", "podcast_id", "podcasts", "podcast_id", "released by", "have released", "has released"),
    ),
)

NEWSPAPER = Domain(
    "newspaper",
    (
        Table(
            "newspaper",
            "newspaper",
            "newspapers",
            (
                key("PaperId"),
                label("PaperName", "Morning Post, The Herald, Daily Star, Evening Echo, The Observer", words="name"),
                text(
                    "City",
                    "Glasgow, Dublin, Boston, Mumbai, Sydney",
                    "in {}",
                    "printed in {}",
                    plural="cities",
                    gathers=True,
                ),
                number("Circulation", 5000, 400000, 5000, "copies"),
                year("FirstIssue", "first published", "year of the first issue", 1820, 2005),
            ),
        ),
        Table(
            "reporter",
            "reporter",
            "reporters",
            (
                key("ReporterId"),
                label(
                    "FullName", "Jane Frost, Luis Ortega, Mina Park, Dev Kapoor, Ruth Adler, Hal Finch", words="name"
                ),
                text("Beat", "politics, business, weather, courts, culture", "covering {}", "on the {} beat"),
                text("Contract", "permanent, freelance, trainee", "with a {} contract", words="contract type"),
                number("MonthlyPay", 1500, 9000, 100, "dollars", words="monthly pay", verb="earn"),
                date("HiredOn", "hired", "hiring date"),
                key("PaperId"),
            ),
            person=True,
        ),
        Table(
            "article",
            "article",
            "articles",
            (
                key("ArticleId"),
                label(
                    "Headline",
                    "Storm Hits Coast, Mayor Resigns, Prices Fall, New Bridge Opens, Court Frees Suspect",
                    words="headline",
                ),
                text("Section", "front page, opinion, local, world", "in the {} section", gathers=True),
                count("Words", 150, 4000, "words", 50),
                number("Views", 100, 90000, 100, words="view count"),
                date("PublishedOn", "published", "publication date"),
                key("ReporterId"),
            ),
        ),
    ),
    (
        Link("reporter", "PaperId", "newspaper", "PaperId", "working for", "employ", "employs"),
        Link("article", "ReporterId", "reporter", "ReporterId", "written by", "have written", "has written"),
    ),
)

ORCHESTRA = Domain(
    "orchestra",
    (
        Table(
            "orchestras",
            "orchestra",
            "orchestras",
            (
                key("orch_id"),
                label("name", "City Philharmonic, Radio Symphony, Chamber Players, Nova Ensemble, Harbour Strings"),
                text(
                    "home_city",
                    "Vienna, Leipzig, Helsinki, Montreal, Riga",
                    "from {}",
                    "based in {}",
                    plural="home cities",
                    gathers=True,
                ),
                text("conductor", "Aino Salo, Peter Brandt, Louis Roy, Ilze Kalnina", "conducted by {}"),
                year("founded", "founded", "founding year", 1840, 2010),
            ),
        ),
        Table(
            "musicians",
            "musician",
            "musicians",
            (
                key("musician_id"),
                label("name", "Clara Benda, Jonas Virtanen, Marie Cote, Edgar Ozols, Lena Fuchs, Hugo Steiner"),
                text("section", "strings, woodwind, brass, percussion", "in the {} section", gathers=True),
                text("rank", "principal, tutti, substitute", "with the rank of {}", words="rank"),
                date("dob", "born", "date of birth", BIRTH_SPAN),
                number("weekly_hours", 4, 40, 1, "hours", words="weekly working time"),
                key("orch_id"),
            ),
            person=True,
        ),
        Table(
            "instruments",
            "instrument",
            "instruments",
            (
                key("instr_id"),
                label("serial_no", "SN-104, SN-221, SN-305, SN-412, SN-560, SN-718", words="serial number"),
                text("kind", "violin, cello, oboe, trumpet, timpani", "of the kind {}"),
                text("maker", "Amati, Buffet, Yamaha, Conn, Adams", "made by {}", "built by {}"),
                year("yr_made", "made", "year of manufacture", 1700, 2020),
                number("insured_value", 500, 250000, 500, "euros", superlative=("most valuable", "least valuable")),
                key("musician_id"),
            ),
        ),
    ),
    (
        Link("musicians", "orch_id", "orchestras", "orch_id", "playing in", "include", "includes"),
        Link("instruments", "musician_id", "musicians", "musician_id", "owned by", "own", "owns"),
    ),
)

DOMAINS = (PODCAST, NEWSPAPER, ORCHESTRA)
