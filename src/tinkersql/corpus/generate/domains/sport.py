"""Sport, clubs and events."""

from tinkersql.corpus.generate.domain import Domain, Link, Table, count, date, key, label, number, text, year

FOOTBALL = Domain(
    "football",
    (
        Table(
            "team",
            "team",
            "teams",
            (
                key("Team_ID"),
                label("Team_Name", "Rovers, United, Wanderers, City Stars, Athletic, Rangers", words="name"),
                text(
                    "League",
                    "premier, first, second, regional",
                    "in the {} league",
                    "that play in the {} league",
                    gathers=True,
                ),
                number("Stadium_Capacity", 2000, 80000, 500, "people", extremes=("largest", "smallest")),
                year("Founded", "founded", "founding year", 1870, 2005),
            ),
        ),
        Table(
            "player",
            "player",
            "players",
            (
                key("Player_ID"),
                label("Name", "Ali Demir, Joe Marsh, Luca Neri, Kwame Osei, Ivan Babic, Tomas Rey, Sven Ek"),
                text("Position", "goalkeeper, defender, midfielder, striker", "who play as a {}", "in the {} position"),
                text(
                    "Nationality",
                    "Turkish, Italian, Ghanaian, Croatian, Swedish",
                    "of {} nationality",
                    "who are {}",
                    plural="nationalities",
                ),
                count("Goals", 0, 40, "goals"),
                number("Wage", 500, 90000, 500, "pounds", words="weekly wage", verb="earn"),
                number(
                    "Height",
                    160,
                    205,
                    1,
                    "centimetres",
                    extremes=("greatest", "smallest"),
                    comparative=("taller", "shorter"),
                    superlative=("tallest", "shortest"),
                    additive=False,
                ),
                key("Team_ID"),
            ),
            person=True,
        ),
    ),
    (Link("player", "Team_ID", "team", "Team_ID", "playing for", "have", "has"),),
)

MARATHON = Domain(
    "marathon",
    (
        Table(
            "races",
            "race",
            "races",
            (
                key("race_id"),
                label("title", "River Run, City Marathon, Hill Climb, Night Race, Coast Ultra, Spring Ten"),
                text("city", "Boston, Berlin, Oslo, Kyoto, Cape Town", "held in {}", "in {}", plural="cities"),
                number(
                    "distance",
                    5,
                    100,
                    1,
                    "kilometres",
                    comparative=("longer", "shorter"),
                    superlative=("longest", "shortest"),
                    extremes=("greatest", "smallest"),
                ),
                date("race_date", "held"),
                number("prize", 0, 20000, 500, "dollars", extremes=("highest", "lowest")),
            ),
        ),
        Table(
            "entries",
            "runner",
            "runners",
            (
                key("runner_id"),
                key("race_id"),
                number("finish_time", 15, 600, 1, "minutes", extremes=("longest", "shortest")),
                text("bib_color", "blue, green, yellow, pink", "with a {} bib"),
                number("age", 16, 80, 1, "years"),
            ),
            participant="runner_id",
        ),
    ),
    (Link("entries", "race_id", "races", "race_id", "registered for", "attract", "attracts"),),
)

GYM = Domain(
    "gym",
    (
        Table(
            "workouts",
            "workout",
            "workouts",
            (
                key("id"),
                label("name", "Power Yoga, Spin, Core Blast, Aqua Fit, Boxing Basics, Stretch, Zumba"),
                text("trainer", "Maya Cole, Rick Tan, Ines Gil, Otto Beck", "led by {}", "taught by {}"),
                text("level", "beginner, intermediate, advanced", "at the {} level", gathers=True),
                text("room", "Studio A, Studio B, Pool, Hall", "held in {}", "in {}"),
                number(
                    "minutes",
                    20,
                    90,
                    5,
                    "minutes",
                    words="length",
                    verb="last",
                    comparative=("longer", "shorter"),
                    extremes=("greatest", "smallest"),
                ),
                count("places", 6, 40, "places"),
            ),
        ),
        Table(
            "signups",
            "member",
            "members",
            (
                key("member_id"),
                key("workout_id"),
                date("signup_date", "made"),
                text("payment", "cash, card, voucher", "paid by {}", words="payment method"),
            ),
            participant="member_id",
        ),
    ),
    (Link("signups", "workout_id", "workouts", "id", "signed up for", "attract", "attracts"),),
)

CONFERENCE = Domain(
    "conference",
    (
        Table(
            "talks",
            "talk",
            "talks",
            (
                key("talk_id"),
                label("title", "Fast Graphs, Tiny Models, Safe Code, Open Maps, Green Grids, Data Ethics"),
                text("track", "research, industry, design, security", "in the {} track", gathers=True),
                text("speaker", "Amy Ross, Kenji Ito, Pia Berg, Samir Khan", "given by {}", "by {}"),
                number(
                    "minutes",
                    10,
                    90,
                    5,
                    "minutes",
                    words="duration",
                    verb="last",
                    extremes=("longest", "shortest"),
                    superlative=("longest", "shortest"),
                ),
                number("rating", 1, 5, 0.1, additive=False),
            ),
        ),
        Table(
            "attendance",
            "visitor",
            "visitors",
            (
                key("visitor_id"),
                key("talk_id"),
                text("seat_row", "front, middle, back", "sitting in the {} row"),
                text("feedback", "good, fair, poor", "who gave {} feedback"),
            ),
            participant="visitor_id",
        ),
    ),
    (Link("attendance", "talk_id", "talks", "talk_id", "attending", "draw", "draws"),),
)

CLIMBING = Domain(
    "climbing",
    (
        Table(
            "mountain",
            "mountain",
            "mountains",
            (
                key("id"),
                label("name", "Denali, Eiger, Elbrus, Aconcagua, Lhotse, Matterhorn, Kenya Peak"),
                text("mountain_range", "Alps, Andes, Himalaya, Caucasus", "in the {}", words="range", gathers=True),
                number(
                    "height",
                    2500,
                    8500,
                    10,
                    "metres",
                    comparative=("higher", "lower"),
                    superlative=("highest", "lowest"),
                    extremes=("greatest", "smallest"),
                    additive=False,
                ),
                year("first_climbed", "first climbed", "year of first ascent", 1780, 1970),
            ),
        ),
        Table(
            "expedition",
            "expedition",
            "expeditions",
            (
                key("id"),
                key("mountain_id"),
                text("leader", "Jon Hagen, Pema Sherpa, Carla Rossi, Mike Dunn, Ana Solis", "led by {}"),
                text("season", "spring, summer, autumn, winter", "that took place in {}"),
                count("climbers", 2, 30, "climbers"),
                number("days", 3, 70, 1, "days", words="duration", verb="last", extremes=("longest", "shortest")),
                number("expenses", 2000, 90000, 500, "dollars", words="cost"),
            ),
        ),
    ),
    (Link("expedition", "mountain_id", "mountain", "id", "sent to", "have seen", "has seen"),),
)

AUCTION = Domain(
    "auction",
    (
        Table(
            "lots",
            "lot",
            "lots",
            (
                key("lot_id"),
                label("item", "brass clock, silver spoon, oak desk, jade vase, old globe, pearl ring, coin set"),
                text("seller", "Weber & Co, Mrs Dale, Lord Ashby, Galerie Nord", "sold by {}", "offered by {}"),
                text("period", "baroque, victorian, art deco, modern", "from the {} period", gathers=True),
                number("estimate", 50, 9000, 50, "dollars", words="estimated value"),
                text("condition", "mint, good, fair, worn", "in {} condition"),
            ),
        ),
        Table(
            "bids",
            "bid",
            "bids",
            (
                key("bid_id"),
                key("lot_id"),
                text(
                    "bidder", "Harry Moss, Nina Wolf, Owen Clark, Petra Lang, Quinn Abel", "placed by {}", "made by {}"
                ),
                text("channel", "phone, online, floor, proxy", "made through the {} channel"),
                number("offer", 50, 12000, 50, "dollars", real=True),
                date("bid_date", "placed"),
            ),
        ),
    ),
    (Link("bids", "lot_id", "lots", "lot_id", "placed on", "have received", "has received"),),
)

DOMAINS = (FOOTBALL, MARATHON, GYM, CONFERENCE, CLIMBING, AUCTION)
