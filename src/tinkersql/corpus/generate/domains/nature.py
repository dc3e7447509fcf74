"""Animals, plants, the earth and the sky."""

from tinkersql.corpus.generate.domain import Domain, Link, Table, count, date, key, label, number, text, year

AQUARIUM = Domain(
    "aquarium",
    (
        Table(
            "tank",
            "tank",
            "tanks",
            (
                key("id"),
                label("name", "Coral Bay, Deep Blue, Kelp Hall, Lagoon, Reef One, Mangrove, Ice Shelf"),
                text("water", "salt, fresh, brackish", "with {} water", "filled with {} water", words="water type"),
                number(
                    "volume",
                    200,
                    9000,
                    100,
                    "litres",
                    extremes=("largest", "smallest"),
                    superlative=("largest", "smallest"),
                ),
                number("temperature", 4, 30, 0.5, "degrees", additive=False),
                text("floor", "ground, first, second", "on the {} floor"),
            ),
        ),
        Table(
            "fish",
            "fish",
            "fish",
            (
                key("id"),
                label("nickname", "Bubbles, Finn, Pearl, Captain, Ziggy, Dory, Marlin, Coral, Flash, Sunny"),
                text(
                    "species",
                    "clownfish, guppy, lionfish, catfish, angelfish, eel",
                    "of the {} species",
                    plural="species",
                ),
                text("diet", "algae, shrimp, flakes, worms", "fed on {}", "that eat {}"),
                number(
                    "length",
                    3,
                    120,
                    1,
                    "centimetres",
                    extremes=("greatest", "smallest"),
                    comparative=("longer", "shorter"),
                    superlative=("longest", "shortest"),
                ),
                number(
                    "age",
                    1,
                    15,
                    1,
                    "years",
                    comparative=("older", "younger"),
                    superlative=("oldest", "youngest"),
                    additive=False,
                ),
                key("tank_id"),
            ),
        ),
    ),
    (Link("fish", "tank_id", "tank", "id", "kept in", "hold", "holds"),),
)

ZOO = Domain(
    "zoo",
    (
        Table(
            "enclosures",
            "enclosure",
            "enclosures",
            (
                key("id"),
                label("title", "Savanna, Rainforest, Monkey Island, Polar World, Bird Hall, Night House"),
                text("zone", "north, south, east, west", "in the {} zone", gathers=True),
                number("surface", 50, 6000, 50, "square metres", extremes=("largest", "smallest")),
                year("built", "built", "construction year"),
            ),
        ),
        Table(
            "animals",
            "animal",
            "animals",
            (
                key("id"),
                label("name", "Kito, Luna, Raja, Nala, Boris, Tika, Momo, Zuri, Olga, Pablo"),
                text("species", "lion, zebra, gibbon, penguin, tapir, okapi", "of the {} species", plural="species"),
                text("sex", "female, male", "that are {}", plural="sexes"),
                text(
                    "keeper", "Paula Stein, Ravi Nair, Tom Becker, Lucia Ferri", "looked after by {}", "cared for by {}"
                ),
                number(
                    "weight",
                    2,
                    900,
                    1,
                    "kilograms",
                    verb="weigh",
                    comparative=("heavier", "lighter"),
                    superlative=("heaviest", "lightest"),
                ),
                number("daily_food", 0.5, 60, 0.5, "kilograms", words="daily food ration"),
                key("enclosure_id"),
            ),
        ),
    ),
    (Link("animals", "enclosure_id", "enclosures", "id", "living in", "house", "houses"),),
)

PARK = Domain(
    "park",
    (
        Table(
            "park",
            "park",
            "parks",
            (
                key("Park_ID"),
                label("Name", "Blue Ridge, Elk Valley, Two Rivers, Cedar Lake, High Moor, Sandstone, Fern Gully"),
                text(
                    "State", "Oregon, Utah, Maine, Idaho, Texas, Vermont", "in {}", "in the state of {}", gathers=True
                ),
                number(
                    "Area",
                    10,
                    3000,
                    10,
                    "square miles",
                    extremes=("largest", "smallest"),
                    superlative=("largest", "smallest"),
                ),
                count("Visitors", 1000, 90000, "visitors", 1000),
            ),
        ),
        Table(
            "trail",
            "trail",
            "trails",
            (
                key("Trail_ID"),
                label("Title", "Bear Loop, Ridge Walk, Mirror Pond, Eagle Path, Old Mine, Canyon Rim, Fox Run"),
                text("Surface", "gravel, dirt, paved, sand", "with a {} surface"),
                text("Difficulty", "easy, moderate, hard", "rated {}", plural="difficulties"),
                number(
                    "Length",
                    1,
                    28,
                    0.5,
                    "miles",
                    extremes=("greatest", "smallest"),
                    comparative=("longer", "shorter"),
                    superlative=("longest", "shortest"),
                ),
                number("Climb", 50, 4000, 50, "feet", extremes=("greatest", "smallest")),
                key("Park_ID"),
            ),
        ),
    ),
    (Link("trail", "Park_ID", "park", "Park_ID", "found in", "contain", "contains"),),
)

STARS = Domain(
    "stars",
    (
        Table(
            "telescopes",
            "telescope",
            "telescopes",
            (
                key("id"),
                label("name", "Big Eye, Orion, Hubert, North Dome, Silver Dish, Watcher"),
                text("site", "Tenerife, Atacama, Hawaii, Namibia", "in {}", "located in {}", gathers=True),
                number("aperture", 20, 1000, 10, "centimetres", extremes=("largest", "smallest")),
                year("installed", "installed", "installation year"),
            ),
        ),
        Table(
            "stars",
            "star",
            "stars",
            (
                key("id"),
                label("name", "Vega, Rigel, Altair, Deneb, Spica, Mira, Castor, Antares, Polaris, Sirius"),
                text(
                    "constellation",
                    "Lyra, Cygnus, Virgo, Leo, Taurus, Draco",
                    "in the constellation {}",
                    "that belong to {}",
                ),
                text("spectral_class", "A, B, F, G, K, M", "of spectral class {}", plural="spectral classes"),
                number("distance", 4, 2500, 1, "light years", extremes=("greatest", "smallest"), additive=False),
                number("mass", 0.1, 30, 0.1, "solar masses"),
                key("telescope_id"),
            ),
        ),
    ),
    (Link("stars", "telescope_id", "telescopes", "id", "observed by", "observe", "observes"),),
)

VOLCANO = Domain(
    "volcano",
    (
        Table(
            "volcano",
            "volcano",
            "volcanoes",
            (
                key("id"),
                label("name", "Etna, Katla, Fuji, Villarrica, Merapi, Taal, Colima, Hekla, Pavlof"),
                text(
                    "country",
                    "Italy, Iceland, Japan, Chile, Indonesia, Mexico",
                    "in {}",
                    "located in {}",
                    plural="countries",
                    gathers=True,
                ),
                text("kind", "shield, cone, caldera, dome", "of the {} kind", "of kind {}"),
                number("elevation", 300, 5600, 50, "metres", comparative=("higher", "lower"), additive=False),
            ),
        ),
        Table(
            "eruption",
            "eruption",
            "eruptions",
            (
                key("id"),
                key("volcano_id"),
                year("start_year", "observed", "start year", 1900, 2022),
                number("duration", 1, 300, 1, "days", verb="last", extremes=("longest", "shortest")),
                number("strength", 0, 7, additive=False),
                count("evacuated", 0, 40000, "evacuated people", 500),
                text("alert", "green, yellow, orange", "with a {} alert", words="alert level"),
            ),
        ),
    ),
    (Link("eruption", "volcano_id", "volcano", "id", "recorded at", "have had", "has had"),),
)

SHELTER = Domain(
    "shelter",
    (
        Table(
            "shelters",
            "shelter",
            "shelters",
            (
                key("shelter_id"),
                label("name", "Happy Paws, Second Home, Barkside, Four Legs, Safe Tail, New Start"),
                text(
                    "county",
                    "Kent, Devon, Essex, Norfolk, Dorset",
                    "in {}",
                    "in the county of {}",
                    plural="counties",
                    gathers=True,
                ),
                number("budget", 10000, 400000, 5000, "pounds"),
                count("kennels", 8, 90, "kennels"),
            ),
        ),
        Table(
            "dogs",
            "dog",
            "dogs",
            (
                key("dog_id"),
                label("name", "Rex, Bella, Max, Daisy, Bruno, Lola, Toby, Ruby, Otis, Pippa"),
                text("breed", "beagle, poodle, collie, boxer, terrier, husky", "of the {} breed"),
                text("coat", "short, long, curly, wiry", "with a {} coat"),
                number(
                    "age",
                    1,
                    14,
                    1,
                    "years",
                    comparative=("older", "younger"),
                    superlative=("oldest", "youngest"),
                    additive=False,
                ),
                number(
                    "weight",
                    3,
                    60,
                    1,
                    "kilograms",
                    verb="weigh",
                    comparative=("heavier", "lighter"),
                    superlative=("heaviest", "lightest"),
                ),
                date("arrived", "admitted", "arrival date"),
                key("shelter_id"),
            ),
        ),
    ),
    (Link("dogs", "shelter_id", "shelters", "shelter_id", "staying at", "look after", "looks after"),),
)

DOMAINS = (AQUARIUM, ZOO, PARK, STARS, VOLCANO, SHELTER)
