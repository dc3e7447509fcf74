"""Travel, transport and places."""

from tinkersql.corpus.generate.domain import Domain, Link, Table, count, date, key, label, number, text, year

AIRLINE = Domain(
    "airline",
    (
        Table(
            "airport",
            "airport",
            "airports",
            (
                key("id"),
                label("code", "LIS, OSL, JFK, CDG, NRT, GRU, DXB, SYD"),
                text("city", "Lisbon, Oslo, New York, Paris, Tokyo, Dubai", "in {}", "serving {}", plural="cities"),
                count("runways", 1, 6, "runways", additive=False),
                year("opened", "opened", "opening year"),
            ),
        ),
        Table(
            "flight",
            "flight",
            "flights",
            (
                key("id"),
                label("flight_number", "TP110, SK402, AF77, JL5, EK201, QF9, LH430, BA12"),
                text("airline", "Tap, Scandia, Jet West, Gulf Air, Qantas", "operated by {}", "flown by {}"),
                text(
                    "aircraft",
                    "A320, B737, A350, E190, B777",
                    "flown with an aircraft of type {}",
                    words="aircraft type",
                ),
                number(
                    "duration",
                    40,
                    900,
                    10,
                    "minutes",
                    verb="last",
                    extremes=("longest", "shortest"),
                    superlative=("longest", "shortest"),
                ),
                number(
                    "fare", 40, 1500, 10, "euros", verb="cost", real=True, superlative=("most expensive", "cheapest")
                ),
                count("passengers", 20, 380, "passengers"),
                key("airport_id"),
            ),
        ),
    ),
    (Link("flight", "airport_id", "airport", "id", "departing from", "handle", "handles"),),
)

HOTEL = Domain(
    "hotel",
    (
        Table(
            "hotels",
            "hotel",
            "hotels",
            (
                key("hotel_id"),
                label(
                    "hotel_name", "Grand Plaza, Sea View, Park Inn, The Regent, Alpine Lodge, City Nest", words="name"
                ),
                text(
                    "country",
                    "Spain, Greece, Austria, Norway, Croatia",
                    "in {}",
                    "located in {}",
                    plural="countries",
                    gathers=True,
                ),
                count("stars", 1, 5, "stars", additive=False),
                text("manager", "Elena Ruiz, Hugo Lang, Sofia Berg, Nikos Pappas", "managed by {}", "run by {}"),
            ),
        ),
        Table(
            "bookings",
            "booking",
            "bookings",
            (
                key("booking_id"),
                key("hotel_id"),
                text(
                    "guest",
                    "Ann Wood, Ken Mori, Lea Roth, Sam Cole, Eva Lind, Raj Patel",
                    "made by {}",
                    "made by the guest {}",
                ),
                text("room_type", "single, double, suite, family", "for a {} room"),
                count("nights", 1, 21, "nights"),
                number("charge", 60, 3000, 20, "dollars", verb="cost", real=True),
                date("booked_on", "made", "booking date"),
            ),
        ),
    ),
    (Link("bookings", "hotel_id", "hotels", "hotel_id", "made at", "have received", "has received"),),
)

MUSEUM = Domain(
    "museum",
    (
        Table(
            "museum",
            "museum",
            "museums",
            (
                key("Museum_ID"),
                label("Name", "Rijks Hall, Old Mint, City Gallery, Light House, Palazzo Blu, Modern Wing"),
                text(
                    "City",
                    "Amsterdam, Dublin, Florence, Vienna, Prague, Madrid",
                    "in {}",
                    "located in {}",
                    plural="cities",
                ),
                number("Ticket_Price", 2, 30, 0.5, "euros"),
                year("Opened", "opened", "opening year", 1800, 2020),
            ),
        ),
        Table(
            "painting",
            "painting",
            "paintings",
            (
                key("Painting_ID"),
                label("Title", "The Harvest, Blue Night, Two Sisters, The Bridge, Winter Light, Old Man, Still Life"),
                text("Artist", "Clara Voss, Emil Nord, Ida Marsh, Paolo Conti, Jan Smit", "painted by {}", "by {}"),
                text("Medium", "oil, watercolor, pastel, ink", "painted in {}"),
                year("Year", "painted", "creation year", 1650, 2010),
                number(
                    "Height",
                    20,
                    300,
                    5,
                    "centimetres",
                    extremes=("greatest", "smallest"),
                    comparative=("taller", "shorter"),
                ),
                number(
                    "Value",
                    1000,
                    900000,
                    1000,
                    "dollars",
                    words="insurance value",
                    superlative=("most valuable", "least valuable"),
                ),
                key("Museum_ID"),
            ),
        ),
    ),
    (Link("painting", "Museum_ID", "museum", "Museum_ID", "displayed in", "display", "displays"),),
)

RAILWAY = Domain(
    "railway",
    (
        Table(
            "stations",
            "station",
            "stations",
            (
                key("id"),
                label("name", "Central, Westgate, Harbor, Northfield, Airport, Riverside, Old Bridge"),
                text(
                    "county",
                    "Surrey, Cork, Galway, Fife, Cheshire",
                    "in {}",
                    "in the county of {}",
                    plural="counties",
                    gathers=True,
                ),
                count("platforms", 1, 22, "platforms"),
                count("daily_riders", 200, 50000, "daily riders", 100),
            ),
        ),
        Table(
            "trains",
            "train",
            "trains",
            (
                key("id"),
                label("name", "Silver Arrow, Coastliner, Night Star, Green Line, Highlander, Comet"),
                text("operator", "NorthRail, Swift, Metro West, Eurotrack", "operated by {}", "run by {}"),
                text("fuel", "electric, diesel, hydrogen, steam", "with {} power", words="power source"),
                number("top_speed", 60, 320, 5, "km/h", superlative=("fastest", "slowest"), additive=False),
                count("carriages", 2, 18, "carriages"),
                year("built", "built", "construction year"),
                key("station_id"),
            ),
        ),
    ),
    (Link("trains", "station_id", "stations", "id", "based at", "serve as home to", "serves as home to"),),
)

HARBOR = Domain(
    "harbor",
    (
        Table(
            "ports",
            "port",
            "ports",
            (
                key("port_id"),
                label("port_name", "Rotterdam, Piraeus, Santos, Busan, Durban, Hamburg, Valencia", words="name"),
                text("sea", "North Sea, Atlantic, Baltic, Mediterranean, Indian Ocean", "on the {}"),
                number(
                    "depth",
                    6,
                    30,
                    0.5,
                    "metres",
                    comparative=("deeper", "shallower"),
                    extremes=("greatest", "smallest"),
                    additive=False,
                ),
                count("berths", 2, 60, "berths"),
            ),
        ),
        Table(
            "ships",
            "ship",
            "ships",
            (
                key("ship_id"),
                label("ship_name", "Aurora, Sea Lion, Ever North, Mistral, Blue Pearl, Titania, Odin", words="name"),
                text(
                    "flag",
                    "Panama, Malta, Norway, Liberia, Greece",
                    "under the flag of {}",
                    "sailing under the {} flag",
                ),
                text("ship_type", "tanker, ferry, container, trawler, cruise", "of type {}", words="type"),
                text(
                    "captain", "Lars Dahl, Maria Costa, Yannis Rallis, Grace Obi", "commanded by {}", "under captain {}"
                ),
                number("tonnage", 500, 90000, 500, "tons"),
                number(
                    "length",
                    20,
                    400,
                    5,
                    "metres",
                    extremes=("greatest", "smallest"),
                    comparative=("longer", "shorter"),
                    superlative=("longest", "shortest"),
                ),
                key("home_port"),
            ),
        ),
    ),
    (Link("ships", "home_port", "ports", "port_id", "registered in", "are home to", "is home to"),),
)

BIKES = Domain(
    "bikes",
    (
        Table(
            "bike",
            "bike",
            "bikes",
            (
                key("id"),
                label("model", "Swift 3, Roadster, Cargo One, City Go, Trail X, Breeze"),
                text("brand", "Gazelle, Trek, Cube, Giant, Bianchi", "made by {}", "of the brand {}"),
                text("frame", "steel, carbon, aluminium, titanium", "with a {} frame", words="frame material"),
                number(
                    "weight",
                    7,
                    32,
                    0.5,
                    "kilograms",
                    verb="weigh",
                    comparative=("heavier", "lighter"),
                    superlative=("heaviest", "lightest"),
                ),
                count("gears", 1, 27, "gears", additive=False),
            ),
        ),
        Table(
            "rental",
            "rental",
            "rentals",
            (
                key("id"),
                key("bike_id"),
                text("rider", "Mia Park, Leo Grant, Zoe Hart, Ivan Petrov, Nora Lund", "by {}", "booked by {}"),
                text("pickup", "station, beach, museum, campus, market", "starting at the {}", words="pickup point"),
                number(
                    "minutes", 10, 480, 5, "minutes", words="duration", verb="last", extremes=("longest", "shortest")
                ),
                number("fee", 1, 60, 0.5, "dollars", verb="cost"),
                date("rented_on", "made", "rental date"),
            ),
        ),
    ),
    (Link("rental", "bike_id", "bike", "id", "recorded for", "appear in", "appears in"),),
)

DOMAINS = (AIRLINE, HOTEL, MUSEUM, RAILWAY, HARBOR, BIKES)
