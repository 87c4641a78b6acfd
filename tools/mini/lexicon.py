"""The two lexicons: training examples draw from one, evaluation examples from the other.

No content word stands in both halves of a task (`tests/mini` checks every word that reaches the
data). `strict` verbs need an object, `iv` verbs bear none; `tvs` and `unerg` are regular, so that
past tense and participle look alike. `pos` and `neg` adjectives fit whatever is reviewed.
"""

from __future__ import annotations

from tools.mini.english import Entry, Pronouns, nouns, verbs, words

PRONOUNS: list[Entry] = [
    Pronouns("they", "him"),
    Pronouns("they", "her"),
    Pronouns("we", "them"),
    Pronouns("she", "them"),
    Pronouns("he", "us"),
    Pronouns("she", "us"),
    Pronouns("he", "them"),
    Pronouns("we", "him"),
]
COMMON: dict[str, list[Entry]] = {
    "pron": PRONOUNS,
    "price": [*words("ten, twelve, fifteen, twenty, thirty, forty, fifty, sixty, ninety")],
    "num": [*words("two, three, four, five, six, seven, eight, nine")],
    "hour": [*words("one, two, three, four, five, six, seven, eight, nine, ten, eleven")],
}

TRAIN: dict[str, list[Entry]] = {
    **COMMON,
    "hum": [
        *nouns(
            "teacher, doctor, farmer, baker, nurse, sailor, soldier, driver, singer, painter,"
            "lawyer, waiter, guard, pilot, student, neighbor, cousin, writer, dancer, hunter"
        )
    ],
    "male": [*nouns("boy, man/men, uncle, prince, grandfather, nephew")],
    "female": [*nouns("girl, woman/women, aunt, princess, grandmother, niece")],
    "man": [*words("John, Peter, Thomas, David, Robert, Henry, Charles, James, Daniel, Samuel")],
    "woman": [*words("Mary, Susan, Alice, Emma, Linda, Karen, Helen, Laura, Sarah, Julia")],
    "name": [
        *words(
            "John, Peter, Thomas, David, Robert, Henry, Charles, James, Daniel, Samuel, Mary,"
            "Susan, Alice, Emma, Linda, Karen, Helen, Laura, Sarah, Julia, José, Zoë, Jürgen, Anaïs"
        )
    ],
    "animal": [
        *nouns(
            "dog, cat, horse, cow, bird, wolf/wolves, fox, rabbit, mouse/mice, duck, goat, bear,"
            "lion, frog"
        )
    ],
    "thing": [
        *nouns(
            "book, box, cup, hat, key, lamp, letter, map, chair, basket, bottle, coat, ball,"
            "knife/knives, clock, picture, bag, table, ring, rope, mirror, brush"
        )
    ],
    "mass": [*words("water, bread, milk, rice, sugar, money, sand, coffee")],
    "place": [
        *nouns("kitchen, garden, school, church, hotel, station, library, barn, forest, shop")
    ],
    "adjh": [
        *words("tired, happy, angry, hungry, kind, sick, rich, brave, proud, famous, lonely, young")
    ],
    "adja": [*words("hungry, tired, sick, wet, fast, wild")],
    "adjt": [
        *words("old, heavy, red, broken, clean, dirty, expensive, small, green, black, empty")
    ],
    "tvh": [*verbs("help, thank, visit, follow, invite, push, praise, call, kick, watch")],
    "tvs": [*verbs("thank, invite, blame, praise, punish, hire")],
    "refl": [*verbs("hurt/hurt/hurt, blame, praise, wash, trust, hate")],
    "strict": [*verbs("find/found/found, bring/brought/brought, take/took/taken, fix, use, own")],
    "tvo": [
        *verbs(
            "buy/bought/bought, sell/sold/sold, find/found/found, hide/hid/hidden, fix, carry,"
            "take/took/taken, bring/brought/brought, touch"
        )
    ],
    "iv": [
        *verbs(
            "sleep/slept/slept, arrive, laugh, smile, fall/fell/fallen, cough,come/came/come/coming"
        )
    ],
    "av": [
        *verbs("sleep/slept/slept, run/ran/run/running, jump, eat/ate/eaten, drink/drank/drunk")
    ],
    "unerg": [*verbs("laugh, cough, smile, work, dance, talk")],
    "know": [*verbs("know/knew/known, remember, see/saw/seen")],
    "toverb": [*verbs("want, hope, decide, refuse, wish")],
    "ingverb": [*verbs("enjoy, avoid, finish, keep/kept/kept")],
    "adv": [*words("quickly, slowly, carefully, quietly, gladly, angrily, calmly")],
    "food": [*words("soup, cake, fish, pie, bread, salad, cheese, apples")],
    "day": [*words("Monday, Tuesday, Wednesday")],
    "job": [
        *words(
            "teacher, doctor, farmer, baker, nurse, sailor, driver, painter, lawyer, guard,"
            "singer, pilot"
        )
    ],
    "den": [*words("barn, garden, forest, yard, field, shed, stall, cave, hut, valley")],
    "near": [
        *words("door, window, fire, wall, stairs, bed, chimney, wardrobe, cupboard, entrance")
    ],
    "fit": [*words("lamp, clock, mirror, picture, plant, vase, table, radiator, basket, flowers")],
    "small": [*words("key, ring, ball, hat, cup, rope, brush, letter, map, knife, bag, bottle")],
    "city": [*words("Paris, Rome, Madrid, Athens, Chicago, Zürich, Málaga, Moscow, New York")],
    "spot": [*words("tree, stone, bench, wheel, board, log, tent, bush, cart")],
    "pos": [*words("wonderful, excellent, lovely, beautiful, charming, brilliant, delightful")],
    "neg": [*words("terrible, awful, horrible, disappointing, boring, worthless, unbearable")],
    "posn": [*words("interesting, exciting, funny, special, clever, beautiful")],
    "negn": [*words("boring, disappointing, foolish, stupid, annoying, terrible")],
    "posv": [*verbs("love, enjoy, like")],
    "negv": [*verbs("hate, dislike, mock")],
    "work": [*nouns("film, book, song, play, story, poem")],
    "part": [*words("beginning, ending, music, title, message")],
    "stay": [*nouns("trip, meal, party, picnic, walk")],
}

EVAL: dict[str, list[Entry]] = {
    **COMMON,
    "hum": [
        *nouns(
            "carpenter, butcher, clerk, gardener, tailor, captain, librarian, scientist, engineer,"
            "actor, artist, officer, manager, musician, poet, dentist, plumber, barber, priest,"
            "customer"
        )
    ],
    "male": [*nouns("husband, son, brother, father, groom, grandson")],
    "female": [*nouns("wife/wives, daughter, sister, mother, bride, granddaughter")],
    "man": [*words("George, Paul, Mark, Simon, Walter, Oscar, Frank, Martin, Philip, Edward")],
    "woman": [*words("Anna, Clara, Ruth, Nancy, Martha, Diana, Rachel, Victoria, Irene, Lucy")],
    "name": [
        *words(
            "George, Paul, Mark, Simon, Walter, Oscar, Frank, Martin, Philip, Edward, Anna, Clara,"
            "Ruth, Nancy, Martha, Diana, Rachel, Victoria, Irene, Lucy, Noël, Inés, Björn, Łukasz"
        )
    ],
    "animal": [
        *nouns(
            "pig, hen, donkey, monkey, elephant, tiger, turtle, squirrel, pony, goose/geese, eagle,"
            "owl, snake, camel"
        )
    ],
    "thing": [
        *nouns(
            "bowl, blanket, bucket, button, candle, coin, drum, envelope, fork, glove, hammer,"
            "jacket, ladder, magazine, newspaper, pencil, pillow, plate, radio, scarf/scarves,"
            "shovel, spoon, suitcase, towel, umbrella, violin, wallet"
        )
    ],
    "mass": [*words("butter, flour, salt, honey, furniture, luggage, mud, snow, wool")],
    "place": [
        *nouns(
            "attic, bedroom, cellar, museum, hospital, theater, factory, stable, park, cottage,"
            "restaurant, garage, palace, airport"
        )
    ],
    "adjh": [
        *words(
            "nervous, cheerful, honest, polite, sleepy, thirsty, lazy, jealous, friendly, patient,"
            "careless, popular, rude"
        )
    ],
    "adja": [*words("thirsty, sleepy, lazy, noisy, gentle, playful")],
    "adjt": [
        *words("blue, yellow, cheap, dusty, tiny, enormous, shiny, rusty, white, purple, damp")
    ],
    "tvh": [*verbs("greet, kiss, warn, admire, chase, tease, scold, rescue, insult, ignore")],
    "tvs": [*verbs("warn, scold, rescue, insult, ignore, arrest")],
    "refl": [*verbs("injure, criticize, admire, defend, introduce, comfort")],
    "strict": [*verbs("discover, purchase, mention, describe, remove, obtain")],
    "tvo": [
        *verbs(
            "steal/stole/stolen, polish, borrow, examine, lift, throw/threw/thrown, discover,"
            "remove, purchase"
        )
    ],
    "iv": [*verbs("sneeze, yawn, vanish, disappear, faint, giggle, snore, shiver")],
    "unerg": [*verbs("sneeze, yawn, giggle, snore, shiver, scream")],
    "know": [*verbs("understand/understood/understood, forget/forgot/forgotten, realize, reveal")],
    "toverb": [*verbs("agree, promise, fail, offer, pretend")],
    "ingverb": [*verbs("deny, suggest, resist, imagine, consider")],
    "adv": [*words("suddenly, happily, silently, proudly, secretly, eagerly, cheerfully")],
    "food": [*words("pasta, pizza, chicken, noodles, sandwiches, sausages, mushrooms, beans")],
    "day": [*words("Thursday, Friday, Saturday, Sunday")],
    "clothes": [*words("jacket, scarf, sweater, helmet, cloak, vest, robe, necktie")],
    "view": [
        *words("harbor, park, museum, palace, theater, airport, temple, lighthouse, castle,canal")
    ],
    "color": [*words("blue, yellow, white, purple, pink, orange, gray, brown, golden, silver")],
    "kin": [*words("daughter, son, sister, brother, mother, father")],
    "job": [
        *words(
            "carpenter, butcher, clerk, gardener, tailor, librarian, engineer, dentist,"
            "barber, plumber, poet"
        )
    ],
    "city": [*words("London, Berlin, Tokyo, Kraków, São Paulo, Oslo, Cairo, Los Angeles, Vienna")],
    "spot": [*words("fence, cabinet, oven, sofa, curtain, stove, piano, desk, shelf, statue")],
    "pos": [
        *words("fantastic, amazing, superb, splendid, magnificent, perfect, marvelous, pleasant")
    ],
    "neg": [*words("dreadful, dull, miserable, unpleasant, tedious, lousy, disastrous, pathetic")],
    "posn": [*words("impressive, original, memorable, amusing, fascinating, pleasant")],
    "negn": [*words("dull, tedious, unpleasant, irritating, dreadful, silly")],
    "posv": [*verbs("adore, treasure, appreciate, admire")],
    "negv": [*verbs("despise, detest, loathe")],
    "work": [*nouns("movie, novel, concert, show, comedy, musical")],
    "part": [*words("opening, finale, style, atmosphere, theme")],
    "stay": [*nouns("dinner, holiday, wedding, weekend, banquet")],
    "group": [*nouns("tenant, member, trainee, contractor, applicant, delegate, employee")],
    "body": [*words("committee, council, board, court, ministry, senate, commission, union")],
    "paper": [*words("budget, contract, permit, treaty, certificate, agreement, form, report")],
    "rule": [*words("budget, contract, treaty, agreement, decree, amendment, regulation")],
    "town": [*words("Norwich, Lisbon, Oslo, Boston, Vienna, Denver, Bergen, Dublin, Montréal")],
}
