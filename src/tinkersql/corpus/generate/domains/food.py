"""Food and drink."""

from tinkersql.corpus.generate.domain import Domain, Link, Table, count, date, key, label, number, text, year

BAKERY = Domain(
    "bakery",
    (
        Table(
            "bakery",
            "bakery",
            "bakeries",
            (
                key("id"),
                label(
                    "name", "Golden Crust, Mill Lane, The Oven, Rosa's, Daily Bread, Corner Loaf, Sweet Hour, Harvest"
                ),
                text("city", "Lisbon, Porto, Lyon, Ghent, Leeds, Turin", "in {}", "located in {}", plural="cities"),
                year("opened", "opened", "opening year"),
                count("seats", 4, 80, "seats"),
            ),
        ),
        Table(
            "pastry",
            "pastry",
            "pastries",
            (
                key("id"),
                label(
                    "name", "croissant, baklava, cannoli, strudel, eclair, muffin, scone, brioche, danish, madeleine"
                ),
                text("dough", "puff, yeast, filo, shortcrust, sponge", "made from {} dough", "made with {} dough"),
                text(
                    "filling",
                    "almond, custard, apple, cherry, chocolate, pistachio",
                    "filled with {}",
                    "with {} filling",
                ),
                number("price", 1, 12, 0.5, "dollars", verb="cost", superlative=("most expensive", "cheapest")),
                number("weight", 40, 300, 10, "grams", verb="weigh", comparative=("heavier", "lighter")),
                number("calories", 120, 700, 10, words="calorie count"),
                key("bakery_id"),
            ),
        ),
    ),
    (Link("pastry", "bakery_id", "bakery", "id", "sold at", "sell", "sells"),),
)

VINEYARD = Domain(
    "vineyard",
    (
        Table(
            "wineries",
            "winery",
            "wineries",
            (
                key("id"),
                label("name", "Casa Nova, Stone Gate, Bellavista, Red Hill, Old Cellar, Monte Alto, Clos du Lac"),
                text(
                    "region",
                    "Rioja, Douro, Tuscany, Mosel, Alsace, Barossa",
                    "in {}",
                    "from the {} region",
                    gathers=True,
                ),
                year("founded", "founded", "founding year", 1820, 2015),
                number("area", 5, 400, 5, "hectares", extremes=("largest", "smallest")),
            ),
        ),
        Table(
            "wines",
            "wine",
            "wines",
            (
                key("id"),
                label("name", "Luna, Ribera, Noble Oak, Sol, Vento, Granada, Black Ridge, Aurora, Terra, Quinta"),
                text(
                    "grape",
                    "Merlot, Riesling, Syrah, Malbec, Tempranillo, Pinot Noir",
                    "made from {}",
                    "made from {} grapes",
                ),
                text("color", "red, white, rose", "that are {}"),
                number("points", 75, 99, words="score", additive=False),
                number(
                    "bottle_price",
                    6,
                    120,
                    2,
                    "euros",
                    verb="cost",
                    real=True,
                    superlative=("most expensive", "cheapest"),
                ),
                count("bottles", 500, 20000, "bottles", 500),
                key("winery_id"),
            ),
        ),
    ),
    (Link("wines", "winery_id", "wineries", "id", "produced by", "produce", "produces"),),
)

RESTAURANT = Domain(
    "restaurant",
    (
        Table(
            "restaurant",
            "restaurant",
            "restaurants",
            (
                key("restaurant_id"),
                label("name", "Blue Door, Saffron, Casa Lupo, The Anchor, Lotus, Chez Marie, Pepper Tree, Nori"),
                text(
                    "cuisine",
                    "Thai, Italian, Mexican, Indian, Greek, Japanese",
                    "that serve {} food",
                    "with {} cuisine",
                ),
                text(
                    "district",
                    "Old Town, Harbor, Riverside, Hilltop, Station",
                    "in the {} district",
                    "located in {}",
                    gathers=True,
                ),
                number("rating", 1, 5, 0.1, extremes=("highest", "lowest"), additive=False),
                count("tables", 4, 60, "tables"),
            ),
        ),
        Table(
            "dish",
            "dish",
            "dishes",
            (
                key("dish_id"),
                label(
                    "title", "green curry, ramen, moussaka, tacos, risotto, paella, dumplings, lasagna, falafel, pho"
                ),
                text("course", "starter, main, dessert, side", "served as a {}", "of the {} course"),
                number("spiciness", 0, 10, words="spice level", additive=False),
                number("price", 4, 48, 1, "dollars", verb="cost", superlative=("most expensive", "cheapest")),
                number("minutes", 5, 90, 5, "minutes", words="preparation time", extremes=("longest", "shortest")),
                key("restaurant_id"),
            ),
        ),
    ),
    (Link("dish", "restaurant_id", "restaurant", "restaurant_id", "served at", "serve", "serves"),),
)

COFFEE = Domain(
    "coffee",
    (
        Table(
            "farms",
            "farm",
            "farms",
            (
                key("id"),
                label(
                    "farm_name",
                    "La Palma, Kirinyaga, El Cedro, Finca Sol, Yirga, Santa Rita, Mbeya, Boa Vista",
                    words="name",
                ),
                text(
                    "country",
                    "Kenya, Colombia, Ethiopia, Brazil, Peru, Rwanda",
                    "in {}",
                    "located in {}",
                    plural="countries",
                    gathers=True,
                ),
                number("altitude", 600, 2200, 50, "metres", additive=False),
                text("owner", "Amina Njeri, Luis Vega, Hana Bekele, Joao Reis, Marta Quispe", "owned by {}"),
            ),
        ),
        Table(
            "harvests",
            "harvest",
            "harvests",
            (
                key("id"),
                key("farm_id"),
                text("variety", "Bourbon, Typica, Geisha, Caturra, Pacamara", "of the {} variety", plural="varieties"),
                text("buyer", "Nordic Roast, Bean House, Caffe Uno, Old Mill, Black Cup", "bought by {}", "sold to {}"),
                number("kilograms", 100, 5000, 50, "kilograms", words="weight", verb="weigh"),
                date("picked_on", "picked", "picking date"),
                number("moisture", 8, 14, 0.5, "percent", words="moisture level", additive=False),
            ),
        ),
    ),
    (Link("harvests", "farm_id", "farms", "id", "gathered on", "bring in", "brings in"),),
)

BREWERY = Domain(
    "brewery",
    (
        Table(
            "beers",
            "beer",
            "beers",
            (
                key("beer_id"),
                label("name", "Night Owl, Hop Storm, Amber Bay, Old Fox, Snow Cap, Iron Gate, Summer Haze, Dark Peak"),
                text(
                    "style",
                    "stout, lager, porter, pale ale, pilsner, saison",
                    "brewed in the {} style",
                    "of the {} style",
                ),
                text("brewer", "Anders Holm, Kate Doyle, Milan Horak, Ines Duarte", "brewed by {}"),
                number("alcohol", 3, 12, 0.5, "percent", words="alcohol content", additive=False),
                number("bitterness", 5, 100, 5, additive=False),
            ),
        ),
        Table(
            "deliveries",
            "delivery",
            "deliveries",
            (
                key("delivery_id"),
                key("beer_id"),
                text("pub", "The Crown, Red Lion, White Hart, The Swan, King's Head", "made to {}"),
                text("driver", "Omar, Beth, Yuki, Carlos, Nina", "driven by {}", "handled by {}"),
                count("kegs", 1, 40, "kegs"),
                number("invoice", 80, 4000, 20, "dollars", words="invoice value", real=True),
                date("delivered_on", "made", "delivery date"),
            ),
        ),
    ),
    (Link("deliveries", "beer_id", "beers", "beer_id", "carrying", "appear in", "appears in"),),
)

DOMAINS = (BAKERY, VINEYARD, RESTAURANT, COFFEE, BREWERY)
