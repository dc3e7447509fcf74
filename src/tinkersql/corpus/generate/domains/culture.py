"""Books, film, music, stage and play."""

from tinkersql.corpus.generate.domain import Domain, Link, Table, count, date, key, label, number, text, year

LIBRARY = Domain(
    "library",
    (
        Table(
            "books",
            "book",
            "books",
            (
                key("id"),
                label("title", "Silent River, The Last Map, Glass House, Winter Song, Red Kite, Far Shore, Ashes"),
                text("author", "Mary Holt, Peter Lang, Aiko Sato, Diego Luna, Ruth Klein", "by {}", "written by {}"),
                text(
                    "genre",
                    "mystery, fantasy, romance, history, horror, poetry",
                    "in the {} genre",
                    "that belong to the {} genre",
                    gathers=True,
                ),
                count("pages", 80, 900, "pages", 10),
                year("published", "published", "publication year"),
                text("language", "English, French, German, Spanish", "written in {}", "in {}"),
            ),
        ),
        Table(
            "loans",
            "reader",
            "readers",
            (
                key("reader_id"),
                key("book_id"),
                date("due_date", "due"),
                text("branch", "downtown, riverside, hillside, campus", "at the {} branch", plural="branches"),
                number("fine", 0, 20, 0.5, "dollars"),
            ),
            participant="reader_id",
        ),
    ),
    (Link("loans", "book_id", "books", "id", "borrowing", "are borrowed by", "is borrowed by"),),
)

CINEMA = Domain(
    "cinema",
    (
        Table(
            "director",
            "director",
            "directors",
            (
                key("director_id"),
                label("name", "Nora Quist, Alan Brook, Mei Tanaka, Oscar Dean, Lina Said, Bruno Falk"),
                text(
                    "nationality",
                    "Swedish, British, Japanese, French, Korean",
                    "of {} nationality",
                    "who are {}",
                    plural="nationalities",
                ),
                year("birth_year", "born", "birth year", 1930, 1995),
                count("awards", 0, 30, "awards"),
            ),
            person=True,
        ),
        Table(
            "film",
            "film",
            "films",
            (
                key("film_id"),
                label("title", "Night Train, Lost Coast, The Clock, Paper Moon, Echo, Second Sun, Iron Rain"),
                text("genre", "drama, comedy, thriller, western, animation", "in the {} genre", "of the genre {}"),
                text("studio", "Lumen, Northlight, Big Rock, Atlas", "produced by {}", "made by the {} studio"),
                number("budget", 1, 200, 1, "million dollars", extremes=("largest", "smallest")),
                number("gross", 1, 900, 1, "million dollars", words="gross income"),
                number(
                    "runtime",
                    70,
                    210,
                    5,
                    "minutes",
                    words="running time",
                    verb="last",
                    extremes=("longest", "shortest"),
                ),
                year("released", "released", "release year"),
                key("director_id"),
            ),
        ),
    ),
    (Link("film", "director_id", "director", "director_id", "directed by", "have directed", "has directed"),),
)

MUSIC = Domain(
    "music",
    (
        Table(
            "bands",
            "band",
            "bands",
            (
                key("id"),
                label(
                    "band_name", "The Foxes, Velvet Sky, Paper Kites, Static Wave, Moonrise, Iron Lung", words="name"
                ),
                text("style", "rock, jazz, folk, metal, soul", "that play {}", "playing {}"),
                text("hometown", "Detroit, Bristol, Malmo, Austin, Cardiff", "from {}", "formed in {}"),
                count("members", 2, 9, "members"),
                year("formed", "formed", "formation year", 1960, 2020),
            ),
        ),
        Table(
            "songs",
            "song",
            "songs",
            (
                key("id"),
                label("title", "Runaway, Blue Light, Homeward, Satellite, Golden, Undertow, Wildfire, Slow Down"),
                text(
                    "album",
                    "First Light, Horizon, Live at Ten, Echoes, Late Hours",
                    "on the album {}",
                    "from the album {}",
                ),
                number(
                    "seconds",
                    90,
                    600,
                    5,
                    "seconds",
                    words="length",
                    verb="last",
                    comparative=("longer", "shorter"),
                    superlative=("longest", "shortest"),
                    extremes=("greatest", "smallest"),
                ),
                count("plays", 1000, 900000, "plays", 1000),
                text("key_signature", "C major, A minor, G major, E minor", "in {}", "written in {}"),
                key("band_id"),
            ),
        ),
    ),
    (Link("songs", "band_id", "bands", "id", "recorded by", "have recorded", "has recorded"),),
)

THEATRE = Domain(
    "theatre",
    (
        Table(
            "plays",
            "play",
            "plays",
            (
                key("play_id"),
                label("title", "The Visitor, Storm Warning, A Quiet House, Masks, The Trial, Seven Doors"),
                text("playwright", "Anna Frost, Colm Reilly, Iris Vale, Mateo Cruz", "written by {}", "by {}"),
                text("type", "tragedy, comedy, musical, satire", "of the type {}"),
                number(
                    "running_time",
                    45,
                    200,
                    5,
                    "minutes",
                    verb="last",
                    extremes=("longest", "shortest"),
                    superlative=("longest", "shortest"),
                ),
                count("acts", 1, 5, "acts", additive=False),
            ),
        ),
        Table(
            "tickets",
            "ticket",
            "tickets",
            (
                key("ticket_id"),
                key("play_id"),
                text("buyer", "Carl Winter, Dora Lake, Emma Stone, Felix Hahn, Gita Rao", "bought by {}", "sold to {}"),
                text("section", "balcony, stalls, gallery, box", "in the {} section", "for the {}", gathers=True),
                number("price", 8, 120, 1, "dollars", verb="cost", real=True),
                date("sold_on", "sold", "sale date"),
            ),
        ),
    ),
    (Link("tickets", "play_id", "plays", "play_id", "sold for", "have sold", "has sold"),),
)

FESTIVAL = Domain(
    "festival",
    (
        Table(
            "stage",
            "stage",
            "stages",
            (
                key("stage_id"),
                label("stage_name", "Main, Garden, Tent, Lakeside, Forest, Rooftop", words="name"),
                text("area", "north field, camp, beach, castle", "in the {} area", gathers=True),
                number("capacity", 200, 20000, 100, "people", extremes=("largest", "smallest")),
                text("sponsor", "Volt, Sunbrew, Radio Nine, Tele One", "sponsored by {}"),
            ),
        ),
        Table(
            "performance",
            "act",
            "acts",
            (
                key("performance_id"),
                label("artist", "DJ Kora, Lena Moss, The Parade, Silver Owl, Tom Hale, Nightjar"),
                text("day", "Friday, Saturday, Sunday", "on {}", "held on {}"),
                number(
                    "minutes",
                    20,
                    150,
                    5,
                    "minutes",
                    words="length",
                    verb="last",
                    comparative=("longer", "shorter"),
                    extremes=("greatest", "smallest"),
                ),
                number("audience", 50, 18000, 50, "people", words="audience size", extremes=("largest", "smallest")),
                number("fee", 300, 60000, 100, "euros", verb="cost"),
                key("stage_id"),
            ),
        ),
    ),
    (Link("performance", "stage_id", "stage", "stage_id", "held on", "host", "hosts"),),
)

GAMES = Domain(
    "games",
    (
        Table(
            "studios",
            "studio",
            "studios",
            (
                key("id"),
                label("name", "Pixel Forge, Red Panda, Nine Lives, Moonbase, Tiny Giant, Overcast"),
                text(
                    "country",
                    "Canada, Poland, Japan, Finland, Korea",
                    "from {}",
                    "based in {}",
                    plural="countries",
                    gathers=True,
                ),
                count("developers", 3, 600, "developers"),
                year("founded", "founded", "founding year", 1980, 2022),
            ),
        ),
        Table(
            "games",
            "game",
            "games",
            (
                key("id"),
                label("title", "Star Drift, Castle Lane, Deep Dive, Neon Run, Farm Days, Last Lantern, Rogue Tide"),
                text("platform", "PC, console, mobile, handheld", "for {}", "available on {}"),
                text("genre", "puzzle, racing, strategy, adventure, sports", "in the {} genre", "of the {} genre"),
                number("review_score", 20, 98, additive=False),
                count("copies", 1000, 900000, "copies sold", 1000),
                date("release_date", "released"),
                key("studio_id"),
            ),
        ),
    ),
    (Link("games", "studio_id", "studios", "id", "developed by", "have developed", "has developed"),),
)

DOMAINS = (LIBRARY, CINEMA, MUSIC, THEATRE, FESTIVAL, GAMES)
