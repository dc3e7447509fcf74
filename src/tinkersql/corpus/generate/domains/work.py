"""Work, money, health and industry."""

from tinkersql.corpus.generate.domain import Domain, Link, Table, count, date, key, label, number, text, year

CLINIC = Domain(
    "clinic",
    (
        Table(
            "doctors",
            "doctor",
            "doctors",
            (
                key("id"),
                label("name", "Ida Holm, Ben Adler, Chen Wei, Rosa Diaz, Karim Haddad, Olga Ivanova"),
                text(
                    "specialty",
                    "cardiology, surgery, pediatrics, neurology, oncology",
                    "specializing in {}",
                    "in {}",
                    plural="specialties",
                    gathers=True,
                ),
                count("experience", 1, 40, "years of experience", additive=False),
                number(
                    "hourly_rate", 50, 300, 5, "dollars", superlative=("most expensive", "cheapest"), additive=False
                ),
            ),
            person=True,
        ),
        Table(
            "visits",
            "patient",
            "patients",
            (
                key("patient_id"),
                key("doctor_id"),
                date("visit_date", "seen"),
                number("bill", 20, 900, 10, "dollars"),
                text("reason", "checkup, injury, fever, allergy", "seen for {}"),
            ),
            participant="patient_id",
        ),
    ),
    (Link("visits", "doctor_id", "doctors", "id", "treated by", "treat", "treats"),),
)

HOUSING = Domain(
    "housing",
    (
        Table(
            "agent",
            "agent",
            "agents",
            (
                key("agent_id"),
                label("name", "Julia Kern, Mark Evans, Tara Singh, Leo Blanc, Vera Novak"),
                text(
                    "office",
                    "Downtown, Westside, Lakeview, Airport",
                    "at the {} office",
                    "working at the {} office",
                    gathers=True,
                ),
                number("commission", 1, 6, 0.5, "percent", words="commission rate", additive=False),
                year("hired", "hired", "hiring year", 1995, 2023),
            ),
            person=True,
        ),
        Table(
            "house",
            "house",
            "houses",
            (
                key("house_id"),
                label(
                    "address",
                    "12 Oak St, 8 Elm Ave, 40 Hill Rd, 3 Lake Dr, 77 Main St, 5 Mill Ln, 21 Bay Ct",
                    plural="addresses",
                ),
                text(
                    "neighborhood",
                    "Greenwood, Eastside, Old Harbor, Parkview",
                    "in {}",
                    "in the {} neighborhood",
                    gathers=True,
                ),
                text("style", "cottage, villa, loft, ranch", "built in the {} style"),
                count("bedrooms", 1, 7, "bedrooms"),
                number("asking_price", 90000, 950000, 5000, "dollars", superlative=("most expensive", "cheapest")),
                number(
                    "floor_area",
                    40,
                    400,
                    5,
                    "square metres",
                    extremes=("largest", "smallest"),
                    superlative=("largest", "smallest"),
                ),
                key("agent_id"),
            ),
        ),
    ),
    (Link("house", "agent_id", "agent", "agent_id", "offered by", "offer", "offers"),),
)

FACTORY = Domain(
    "factory",
    (
        Table(
            "machines",
            "machine",
            "machines",
            (
                key("id"),
                label("serial", "MX-10, KR-7, LP-22, TZ-4, BN-90, VC-13", words="serial number"),
                text("maker", "Bosch, Kuka, Fanuc, Siemens", "made by {}", "built by {}"),
                text("hall", "A1, A2, B1, C3", "in hall {}", gathers=True),
                number("power", 5, 250, 5, "kilowatts", words="power draw"),
                year("bought", "bought", "purchase year", 1990, 2023),
            ),
        ),
        Table(
            "repairs",
            "repair",
            "repairs",
            (
                key("id"),
                key("machine_id"),
                text("technician", "Paul Reed, Asha Rao, Tim Vogt, Lucy Chan", "done by {}", "carried out by {}"),
                text("fault", "motor, belt, sensor, software", "caused by a {} fault", words="fault type"),
                number("hours", 1, 48, 0.5, "hours", words="duration", verb="take", extremes=("longest", "shortest")),
                number("parts_cost", 10, 5000, 10, "dollars", words="cost of parts"),
                date("repaired_on", "done", "repair date"),
            ),
        ),
    ),
    (Link("repairs", "machine_id", "machines", "id", "done on", "have needed", "has needed"),),
)

INSURANCE = Domain(
    "insurance",
    (
        Table(
            "policies",
            "policy",
            "policies",
            (
                key("policy_id"),
                label("policy_number", "P-1001, P-1040, P-2210, P-3305, P-4417, P-5002"),
                text(
                    "holder", "Grace Lee, Omar Aziz, Helen Fox, Ivo Marek, Dana Price", "held by {}", "taken out by {}"
                ),
                text(
                    "cover",
                    "car, home, travel, health, boat",
                    "with {} cover",
                    words="type of cover",
                    plural="types of cover",
                ),
                number("premium", 100, 3000, 20, "dollars"),
                date("start_date", "started"),
            ),
        ),
        Table(
            "claims",
            "claim",
            "claims",
            (
                key("claim_id"),
                key("policy_id"),
                text("cause", "fire, theft, flood, collision, storm", "caused by {}"),
                text("status", "open, paid, rejected, pending", "that are {}", plural="statuses"),
                number("payout", 0, 20000, 100, "dollars", real=True),
                date("filed_on", "filed", "filing date"),
            ),
        ),
    ),
    (Link("claims", "policy_id", "policies", "policy_id", "filed under", "have", "has"),),
)

CHARITY = Domain(
    "charity",
    (
        Table(
            "project",
            "project",
            "projects",
            (
                key("project_id"),
                label("title", "Clean Water, School Roof, Green City, Book Bus, Warm Meals, Safe Harbor"),
                text(
                    "country",
                    "Nepal, Ghana, Bolivia, Laos, Malawi",
                    "in {}",
                    "carried out in {}",
                    plural="countries",
                    gathers=True,
                ),
                text("theme", "health, education, climate, housing", "about {}", "with the theme {}"),
                number("target", 1000, 90000, 1000, "dollars", words="funding target"),
            ),
        ),
        Table(
            "donation",
            "donation",
            "donations",
            (
                key("donation_id"),
                key("project_id"),
                text(
                    "donor", "Alice Kim, Bob Marsh, Cara Lund, Dev Anand, Ella Frey, Finn Cole", "made by {}", "from {}"
                ),
                text("method", "card, cash, transfer, cheque", "paid by {}", words="payment method"),
                number("amount", 5, 2000, 5, "dollars", real=True),
                date("given_on", "made", "donation date"),
            ),
        ),
    ),
    (Link("donation", "project_id", "project", "project_id", "given to", "have received", "has received"),),
)

SOFTWARE = Domain(
    "software",
    (
        Table(
            "repository",
            "repository",
            "repositories",
            (
                key("id"),
                label("name", "atlas, beacon, cobalt, dynamo, ember, falcon, gluon"),
                text("language", "Python, Rust, Go, Java, Ruby", "written in {}"),
                text("license", "MIT, Apache, GPL, BSD", "under the {} license"),
                count("stars", 0, 50000, "stars", 50),
                year("created", "created", "creation year", 2005, 2024),
            ),
        ),
        Table(
            "bug",
            "bug",
            "bugs",
            (
                key("id"),
                key("repository_id"),
                label("title", "crash on start, memory leak, wrong total, slow search, login loop, lost file"),
                text("severity", "minor, major, critical, blocker", "of {} severity", plural="severities"),
                text("reporter", "wren, otto, maya, kofi, lena", "reported by {}"),
                count("days_open", 1, 400, "days open"),
                count("comments", 0, 90, "comments"),
            ),
        ),
    ),
    (Link("bug", "repository_id", "repository", "id", "reported in", "have", "has"),),
)

DOMAINS = (CLINIC, HOUSING, FACTORY, INSURANCE, CHARITY, SOFTWARE)
