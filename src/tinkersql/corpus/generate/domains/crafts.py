"""Honey, cheese, plants and words: small trades, most of them in three tables that follow each other."""

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

APIARY = Domain(
    "apiary",
    (
        Table(
            "apiaries",
            "apiary",
            "apiaries",
            (
                key("apiary_id"),
                label("place", "Lime Grove, Heather Moor, Clover Field, Mill Meadow, South Orchard, Sandy Lane"),
                text("county", "Kent, Sussex, Cornwall, Cumbria", "in {}", plural="counties", gathers=True),
                text("owner", "Greta Hall, Tim Boyd, Alma Ruiz, Sean Pike", "owned by {}", "run by {}"),
                number("altitude", 20, 900, 10, "metres", additive=False),
            ),
        ),
        Table(
            "hives",
            "hive",
            "hives",
            (
                key("hive_id"),
                label("code", "H-01, H-02, K-11, K-14, M-07, M-09, S-21, S-30"),
                text("breed", "carniolan, buckfast, ligurian, black", "with {} bees", "of the {} breed"),
                text("hiveType", "langstroth, dadant, warre, skep", "of the {} type", words="type"),
                year("installed", "set up", "year of setup", 2005, 2023),
                key("apiary_id"),
            ),
        ),
        Table(
            "inspections",
            "inspection",
            "inspections",
            (
                key("inspection_id"),
                key("hive_id"),
                text("inspector", "Dr Lowe, Marta Quint, Ned Farrow, Iris Bloom", "made by {}"),
                date("inspected_on", "carried out", "inspection date"),
                count("mites", 0, 60, "mites"),
                number("honey_kg", 1, 40, 0.5, "kilograms", words="honey weight", extremes=("greatest", "smallest")),
            ),
        ),
    ),
    (
        Link("hives", "apiary_id", "apiaries", "apiary_id", "kept in", "hold", "holds"),
        Link("inspections", "hive_id", "hives", "hive_id", "made at", "have had", "has had"),
    ),
)

CHEESE = Domain(
    "cheese",
    (
        Table(
            "dairies",
            "dairy",
            "dairies",
            (
                key("id"),
                label("name", "Alpenhof, Fromagerie Dubois, Green Valley, La Capra, Old Churn, Whey House"),
                text("region", "Jura, Emmental, Savoy, Asturias, Gouda", "in {}", "from the {} region", gathers=True),
                count("staff", 2, 60, "workers"),
                year("founded", "founded", "founding year", 1850, 2018),
            ),
        ),
        Table(
            "cheeses",
            "cheese",
            "cheeses",
            (
                key("id"),
                label("name", "Blue Moon, Tomme Grise, Red Rind, Old Amber, Cabrales, Snow Cap, Ash Log, Montasio"),
                text(
                    "milk",
                    "cow, goat, sheep, buffalo",
                    "made from {} milk",
                    words="kind of milk",
                    plural="kinds of milk",
                ),
                text("texture", "soft, hard, crumbly, creamy", "with a {} texture", "that are {}"),
                number("aging_months", 1, 36, 1, "months", words="aging time", extremes=("longest", "shortest")),
                number("fat_pct", 10, 60, 1, "percent", words="fat content", additive=False),
                number("price_kg", 8, 70, 1, "euros", words="price per kilogram", real=True, additive=False),
                key("dairy_id"),
            ),
        ),
        Table(
            "tastings",
            "tasting",
            "tastings",
            (
                key("id"),
                key("cheese_id"),
                text("taster", "Anne Petit, Rolf Maier, Gina Sala, Tom Reed", "done by {}"),
                text("venue", "fair, shop, hotel lobby, farm", "held at the {}"),
                number("points", 1, 100, words="score", additive=False),
                date("tasted_on", "held", "tasting date"),
            ),
        ),
    ),
    (
        Link("cheeses", "dairy_id", "dairies", "id", "made by", "make", "makes"),
        Link("tastings", "cheese_id", "cheeses", "id", "held for", "have had", "has had"),
    ),
)

GREENHOUSE = Domain(
    "greenhouse",
    (
        Table(
            "greenhouses",
            "greenhouse",
            "greenhouses",
            (
                key("greenhouse_id"),
                label("name", "Palm House, North Glass, Orchid Room, Sun Hall, Fern Dome, Nursery A"),
                text("glazing", "glass, polycarbonate, film, acrylic", "with {} glazing"),
                number("heated_area", 40, 2000, 20, "square metres", extremes=("largest", "smallest")),
                year("built", "built", "construction year", 1900, 2022),
            ),
        ),
        Table(
            "beds",
            "bed",
            "beds",
            (
                key("bed_id"),
                label("bed_code", "A1, A2, B1, B3, C4, D2, E7", words="code"),
                text("soil", "peat, loam, coco fibre, clay mix", "with {} soil", "filled with {}"),
                text("irrigation", "drip, mist, ebb and flow, manual", "with {} irrigation"),
                number(
                    "width_cm",
                    60,
                    240,
                    10,
                    "centimetres",
                    words="width",
                    additive=False,
                    comparative=("wider", "narrower"),
                ),
                key("greenhouse_id"),
            ),
        ),
        Table(
            "plants",
            "plant",
            "plants",
            (
                key("plant_id"),
                label("plant_name", "Moneymaker, Sweet Genovese, Black Prince, Long Purple, Tiny Tim", words="name"),
                text(
                    "family",
                    "nightshade, mint, cabbage, gourd, daisy",
                    "in the {} family",
                    plural="families",
                    gathers=True,
                ),
                date("sown_on", "sown", "sowing date"),
                number(
                    "height_cm",
                    5,
                    220,
                    5,
                    "centimetres",
                    words="height",
                    additive=False,
                    comparative=("taller", "shorter"),
                    superlative=("tallest", "shortest"),
                    extremes=("greatest", "smallest"),
                ),
                number("yield_kg", 0.5, 30, 0.5, "kilograms", words="yield", extremes=("highest", "lowest")),
                key("bed_id"),
            ),
        ),
    ),
    (
        Link("beds", "greenhouse_id", "greenhouses", "greenhouse_id", "located in", "contain", "contains"),
        Link("plants", "bed_id", "beds", "bed_id", "growing in", "hold", "holds"),
    ),
)

TRANSLATION = Domain(
    "translation",
    (
        Table(
            "translators",
            "translator",
            "translators",
            (
                key("id"),
                label("fullName", "Irina Volk, Paul Marchand, Keiko Abe, Sara Lindqvist, Omar Nasser", words="name"),
                text(
                    "nativeLang",
                    "Russian, French, Japanese, Swedish, Arabic",
                    "with {} as their native language",
                    words="native language",
                ),
                text(
                    "basedIn",
                    "Geneva, Brussels, Osaka, Cairo, Malmo",
                    "based in {}",
                    "living in {}",
                    words="home city",
                    plural="home cities",
                    gathers=True,
                ),
                number("wordRate", 5, 30, 1, "cents", words="rate per word", additive=False),
                date("dob", "born", "date of birth", BIRTH_SPAN),
            ),
            person=True,
        ),
        Table(
            "jobs",
            "translation job",
            "translation jobs",
            (
                key("jobId"),
                label(
                    "docTitle",
                    "Annual Report, User Manual, Court Ruling, Menu Card, Drug Leaflet, Film Script",
                    words="document title",
                ),
                text("targetLang", "English, German, Spanish, Korean, Polish", "into {}", words="target language"),
                text(
                    "jobState", "open, in review, delivered, on hold", "that are {}", words="status", plural="statuses"
                ),
                count("pages", 1, 400, "pages"),
                number("fee", 50, 9000, 50, "euros", verb="cost"),
                date("dueOn", "due", "due date"),
                key("translatorId"),
            ),
        ),
    ),
    (Link("jobs", "translatorId", "translators", "id", "handled by", "have handled", "has handled"),),
)

DOMAINS = (APIARY, CHEESE, GREENHOUSE, TRANSLATION)
