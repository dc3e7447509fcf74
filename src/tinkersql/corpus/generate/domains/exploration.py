"""Rockets, ruins, coasts, snow and rails."""

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

SPACE = Domain(
    "space",
    (
        Table(
            "agencies",
            "agency",
            "agencies",
            (
                key("id"),
                label("name", "Novaspace, Orbital Union, Red Comet, Skyward, Polaris Works"),
                text(
                    "country",
                    "France, India, Japan, Brazil, Italy",
                    "in {}",
                    "from {}",
                    plural="countries",
                    gathers=True,
                ),
                number(
                    "budget_musd", 50, 9000, 50, "million dollars", words="budget", extremes=("largest", "smallest")
                ),
                year("founded", "founded", "founding year", 1958, 2020),
            ),
        ),
        Table(
            "rockets",
            "rocket",
            "rockets",
            (
                key("id"),
                label("name", "Vega, Falcon, Long Arrow, Titan Two, Comet Rider, Dawn Three, Hermes"),
                text("fuel", "kerosene, hydrogen, methane, solid propellant", "that burn {}", "fuelled with {}"),
                number(
                    "height_m",
                    15,
                    120,
                    1,
                    "metres",
                    words="height",
                    additive=False,
                    comparative=("taller", "shorter"),
                    superlative=("tallest", "shortest"),
                    extremes=("greatest", "smallest"),
                ),
                number("payload_kg", 100, 60000, 100, "kilograms", words="payload", extremes=("largest", "smallest")),
                key("agency_id"),
            ),
        ),
        Table(
            "launches",
            "launch",
            "launches",
            (
                key("id"),
                key("rocket_id"),
                text("site", "Kourou, Tanegashima, Alcantara, Andoya", "from {}", "made from {}", words="launch site"),
                text("outcome", "success, failure, partial", "with the outcome {}"),
                number("cost_musd", 5, 300, 5, "million dollars", words="price", verb="cost"),
                date("launch_date", "made"),
            ),
        ),
    ),
    (
        Link("rockets", "agency_id", "agencies", "id", "built by", "have built", "has built"),
        Link("launches", "rocket_id", "rockets", "id", "carried out with", "have had", "has had"),
    ),
)

DIG = Domain(
    "dig",
    (
        Table(
            "excavations",
            "excavation",
            "excavations",
            (
                key("excav_id"),
                label("site", "Tell Asmar, Villa Rustica, Long Barrow, Temple Hill, Harbour Gate, Old Quay"),
                text("country", "Syria, Cyprus, Wales, Greece, Jordan", "in {}", plural="countries", gathers=True),
                text("era", "neolithic, bronze age, iron age, roman", "from the {} era", "dating to the {} era"),
                number("funding", 5000, 400000, 5000, "euros"),
                year("begun", "begun", "starting year", 1950, 2022),
            ),
        ),
        Table(
            "trenches",
            "trench",
            "trenches",
            (
                key("trench_id"),
                label("code", "E1, E2, E7, S3, W4, W5, N9, N10"),
                text("supervisor", "Eva Strand, Omid Rahimi, Carys Pugh, Nikos Vlachos", "supervised by {}"),
                text("soil", "clay, sand, gravel, chalk", "dug into {}", "in {}", words="soil type"),
                number(
                    "depth_cm",
                    20,
                    450,
                    10,
                    "centimetres",
                    words="depth",
                    additive=False,
                    comparative=("deeper", "shallower"),
                    superlative=("deepest", "shallowest"),
                    extremes=("greatest", "smallest"),
                ),
                key("excav_id"),
            ),
        ),
        Table(
            "finds",
            "find",
            "finds",
            (
                key("find_id"),
                label("item", "bronze pin, clay lamp, bone comb, glass bead, iron key, stone axe, silver coin"),
                text("material", "bronze, ceramic, bone, glass, flint", "made of {}"),
                text(
                    "state",
                    "intact, broken, restored",
                    "that are {}",
                    words="state of preservation",
                    plural="states of preservation",
                ),
                number(
                    "weight_g",
                    1,
                    4000,
                    1,
                    "grams",
                    words="weight",
                    verb="weigh",
                    comparative=("heavier", "lighter"),
                    superlative=("heaviest", "lightest"),
                ),
                date("found_on", "unearthed", "date of discovery"),
                key("trench_id"),
            ),
        ),
    ),
    (
        Link("trenches", "excav_id", "excavations", "excav_id", "opened at", "contain", "contains"),
        Link("finds", "trench_id", "trenches", "trench_id", "made in", "have yielded", "has yielded"),
    ),
)

LIGHTHOUSE = Domain(
    "lighthouse",
    (
        Table(
            "lighthouse",
            "lighthouse",
            "lighthouses",
            (
                key("lh_id"),
                label(
                    "lh_name", "Gull Rock, Cape Storm, Needle Point, White Head, Skerry Light, Bell Sand", words="name"
                ),
                text("coast", "Cornish, Breton, Baltic, Galician", "on the {} coast", gathers=True),
                text("paint", "red, white, striped, black", "painted {}", words="color"),
                number(
                    "tower_ht",
                    8,
                    70,
                    1,
                    "metres",
                    words="tower height",
                    additive=False,
                    comparative=("taller", "shorter"),
                    superlative=("tallest", "shortest"),
                    extremes=("greatest", "smallest"),
                ),
                number(
                    "light_range",
                    5,
                    35,
                    1,
                    "nautical miles",
                    words="range",
                    extremes=("longest", "shortest"),
                    additive=False,
                ),
                year("first_lit", "first lit", "year of first lighting", 1750, 1970),
            ),
        ),
        Table(
            "keeper",
            "keeper",
            "keepers",
            (
                key("keeper_id"),
                label("full_name", "Amos Reed, Yann Le Goff, Marta Kask, Xoan Lema, Bess Tregear"),
                text("shift", "day, night, relief", "on the {} shift", gathers=True),
                count("yrs_served", 1, 40, "years of service", additive=False),
                number("pay", 900, 4000, 50, "pounds", words="monthly pay", verb="earn"),
                date("dob", "born", "date of birth", BIRTH_SPAN),
                key("lh_id"),
            ),
            person=True,
        ),
    ),
    (Link("keeper", "lh_id", "lighthouse", "lh_id", "working at", "employ", "employs"),),
)

SKI = Domain(
    "ski",
    (
        Table(
            "resorts",
            "ski resort",
            "ski resorts",
            (
                key("resort_id"),
                label("name", "Val Blanc, Hochalm, Piz Sura, Cold Peak, Tre Cime, Powder Bowl"),
                text("canton", "Valais, Uri, Ticino, Bern, Glarus", "in {}", "in the canton of {}", gathers=True),
                number("base_elev", 600, 2200, 50, "metres", words="base elevation", additive=False),
                number("pass_price", 30, 120, 1, "francs", words="day pass price", additive=False),
            ),
        ),
        Table(
            "slopes",
            "slope",
            "slopes",
            (
                key("slope_id"),
                label("name", "Chamois, Larch Run, Black Couloir, Sunny Side, Snake, Panorama, Wall"),
                text("grade", "blue, red, black, green", "graded {}", "with the grade {}"),
                text(
                    "snow", "natural, artificial, mixed", "with {} snow", words="kind of snow", plural="kinds of snow"
                ),
                number(
                    "length_m",
                    300,
                    9000,
                    100,
                    "metres",
                    words="length",
                    comparative=("longer", "shorter"),
                    superlative=("longest", "shortest"),
                    extremes=("greatest", "smallest"),
                ),
                number("drop_m", 50, 1500, 10, "metres", words="vertical drop", extremes=("greatest", "smallest")),
                key("resort_id"),
            ),
        ),
        Table(
            "lifts",
            "lift",
            "lifts",
            (
                key("lift_id"),
                label("lift_name", "Gondola One, Eagle Chair, T-Bar West, Summit Cable, Baby Lift", words="name"),
                text("type", "gondola, chairlift, drag lift, funicular", "of the {} type"),
                number(
                    "hourly_cap", 300, 3600, 100, "people", words="hourly capacity", extremes=("largest", "smallest")
                ),
                year("opened", "opened", "opening year", 1950, 2023),
                key("resort_id"),
            ),
        ),
    ),
    (
        Link("slopes", "resort_id", "resorts", "resort_id", "located in", "offer", "offers"),
        Link("lifts", "resort_id", "resorts", "resort_id", "operated by", "operate", "operates"),
    ),
)

TRAM = Domain(
    "tram",
    (
        Table(
            "tram_lines",
            "tram line",
            "tram lines",
            (
                key("line_id"),
                label("line_name", "Ring, Harbour Line, North-South, University, Zoo Line, Airport Link", words="name"),
                text(
                    "terminus", "Central Square, Ferry Gate, West Depot, Stadium", "ending at {}", plural="terminuses"
                ),
                number("route_km", 3, 30, 0.5, "kilometres", words="route length", extremes=("greatest", "smallest")),
                count("stops", 6, 48, "stops"),
            ),
        ),
        Table(
            "trams",
            "tram",
            "trams",
            (
                key("tram_id"),
                label("fleet_no", "T-201, T-202, T-310, T-318, T-405, T-517, T-620", words="fleet number"),
                text("builder", "Skoda, Siemens, Stadler, Alstom", "built by {}"),
                text("livery", "cream, yellow, silver, maroon", "in {} livery", plural="liveries"),
                count("seat_count", 30, 140, "seats"),
                year("commissioned", "commissioned", "year of commissioning", 1970, 2023),
                key("line_id"),
            ),
        ),
        Table(
            "overhauls",
            "overhaul",
            "overhauls",
            (
                key("overhaul_id"),
                key("tram_id"),
                text("workshop", "Main Works, South Shed, Rail Clinic", "done by {}", "done at {}"),
                text("cause", "wear, accident, brakes, doors, upgrade", "because of {}"),
                number("expense", 500, 90000, 500, "euros", words="expense", verb="cost"),
                date("started_on", "started", "starting date"),
            ),
        ),
    ),
    (
        Link("trams", "line_id", "tram_lines", "line_id", "used on", "use", "uses"),
        Link("overhauls", "tram_id", "trams", "tram_id", "carried out on", "have had", "has had"),
    ),
)

DOMAINS = (SPACE, DIG, LIGHTHOUSE, SKI, TRAM)
