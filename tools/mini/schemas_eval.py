"""Passages of the evaluation half."""

from __future__ import annotations

from tools.mini.passages import Schema

SCHEMAS: list[Schema] = [
    Schema(
        "Our club held its yearly contest on {day}, and several members won prizes.",
        (
            "{name#}, a_ {hum#}, received a_ {thing#}.",
            "A_ {thing#} was the prize for {name#}, who is a_ {hum#}.",
            "The jury handed a_ {thing#} to {name#}, a_ {hum#}.",
            "{name#} earned a_ {thing#}, a nice prize for a_ {hum#}.",
        ),
        "The evening ended with a toast.",
        (
            ("Who won the {thing#}?", "{name#}"),
            ("Which prize did {name#} win?", "{thing#}"),
            ("What is the profession of {name#}?", "{hum#}"),
            ("Which prize did the {hum#} win?", "{thing#}"),
            ("Which member is a_ {hum#}?", "{name#}"),
        ),
        "{name5} attended the contest as a spectator.",
        ("Which prize did {name5} win?", "What is the profession of {name5}?"),
    ),
    Schema(
        "Several tourists shared a guide for an afternoon.",
        (
            "{name#} had flown in from {city#} and wore a_ {adjt#} {clothes#}.",
            "In a_ {adjt#} {clothes#} appeared {name#}, a visitor from {city#}.",
            "{name#}, dressed in a_ {adjt#} {clothes#}, was born in {city#}.",
            "The tourist from {city#}, {name#}, had put on a_ {adjt#} {clothes#}.",
        ),
        "Everyone agreed that the guide was superb.",
        (
            ("Who wore the {clothes#}?", "{name#}"),
            ("What did {name#} wear?", "{clothes#}"),
            ("Which city is {name#} from?", "{city#}"),
            ("Who is from {city#}?", "{name#}"),
            ("Which color or quality did the {clothes#} have?", "{adjt#}"),
            ("What did the visitor from {city#} wear?", "{clothes#}"),
        ),
        "The guide, {name5}, waved a flag.",
        ("Which city is {name5} from?", "What did {name5} wear?"),
    ),
    Schema(
        "A thief visited our village; the police listed what is gone.",
        (
            "From the {place#}, the thief grabbed a_ {thing#} owned by {name#}.",
            "A_ {thing#} that {name#} owned vanished from the {place#}.",
            "{name#} misses a_ {thing#}, stolen from the {place#}.",
            "The {place#} lost a_ {thing#}; its owner was {name#}.",
        ),
        "The police hope to catch the thief within weeks.",
        (
            ("Who owned the {thing#}?", "{name#}"),
            ("What was stolen from {name#}?", "{thing#}"),
            ("Which building did the {thing#} vanish from?", "{place#}"),
            ("What was stolen from the {place#}?", "{thing#}"),
            ("Who lost something in the {place#}?", "{name#}"),
        ),
        "Detective {name5} is examining every clue.",
        ("What was stolen from {name5}?", "Who owned the {thing9}?"),
    ),
    Schema(
        "Several relatives tidied the {place} before the wedding.",
        (
            "{name#} polished the {thing#} and placed it behind the {spot#}.",
            "The {thing#} was put behind the {spot#} by {name#}.",
            "Behind the {spot#}, {name#} stored the {thing#}.",
            "{name#} shoved the {thing#} behind the {spot#}.",
        ),
        "Afterwards everybody relaxed over tea.",
        (
            ("Who put away the {thing#}?", "{name#}"),
            ("Which item did {name#} put away?", "{thing#}"),
            ("Behind what is the {thing#} now?", "{spot#}"),
            ("Which item is behind the {spot#}?", "{thing#}"),
            ("Who put something behind the {spot#}?", "{name#}"),
        ),
        "{name5} supervised and gave orders.",
        ("Which item did {name5} put away?", "Behind what is the {thing9} now?"),
    ),
    Schema(
        "The zoo welcomed several new inhabitants this year.",
        (
            "The {animal#} {name#} was a gift of {city#} and is {adja#}.",
            "{name#}, a_ {adja#} {animal#}, was shipped here from {city#}.",
            "The zoo of {city#} lent out {name#}, its {adja#} {animal#}.",
            "{city#} donated {name#}, a_ {animal#} known to be {adja#}.",
        ),
        "Visitors may admire every newcomer until October.",
        (
            ("What species is {name#}?", "{animal#}"),
            ("What is the name of the {animal#}?", "{name#}"),
            ("Which city did the {animal#} arrive from?", "{city#}"),
            ("Which newcomer arrived from {city#}?", "{name#}"),
            ("What species arrived from {city#}?", "{animal#}"),
        ),
        "The keeper, {name5}, adores every newcomer.",
        ("Which city did {name5} arrive from?", "Which city did the {animal9} arrive from?"),
    ),
    Schema(
        "On {day} several cyclists raced from the airport to the harbor.",
        (
            "The winner was {name1}, riding a_ {adjt1} bicycle with a_ {animal1} painted on it.",
            "Second place went to {name2}, whose {adjt2} bicycle showed a_ {animal2}.",
            "{name3} finished third on a_ {adjt3} bicycle that displayed a_ {animal3}.",
            "The slowest cyclist was {name4}, whose {adjt4} bicycle bore a picture of a_ {animal4}.",
        ),
        "The mayor shook hands with all the cyclists.",
        (
            ("Whose bicycle showed a_ {animal#}?", "{name#}"),
            ("Which creature adorned the bicycle of {name#}?", "{animal#}"),
            ("What was the bicycle of {name#} like?", "{adjt#}"),
            ("Which creature adorned the {adjt#} bicycle?", "{animal#}"),
            ("Who rode the {adjt#} bicycle?", "{name#}"),
        ),
        "{name5} repaired punctures along the route.",
        ("Which creature adorned the bicycle of {name5}?", "Whose bicycle showed a_ {animal9}?"),
        ordered=True,
    ),
    Schema(
        "During the storm several guests exchanged rooms at the {place}.",
        (
            "{name#} swapped the {adjt#} room for the one above the {place#}.",
            "Instead of the {adjt#} room, {name#} got the one above the {place#}.",
            "The room above the {place#} is now given to {name#}, formerly in the {adjt#} room.",
            "{name#} switched from the {adjt#} room to the one above the {place#}.",
        ),
        "Nobody noticed the thunder after that.",
        (
            ("Who stays above the {place#} now?", "{name#}"),
            ("Who stayed in the {adjt#} room before?", "{name#}"),
            ("Above what does {name#} stay now?", "{place#}"),
            ("Which kind of room did {name#} give away?", "{adjt#}"),
            ("Above what does the former guest of the {adjt#} room stay?", "{place#}"),
        ),
        "{name5} snored in the lobby.",
        ("Above what does {name5} stay now?", "Which kind of room did {name5} give away?"),
    ),
    Schema(
        "The orchestra needed instruments and tools, so members borrowed some on {day}.",
        (
            "{name#} borrowed a_ {thing#} from a_ {hum#}.",
            "A_ {hum#} lent {name#} a_ {thing#}.",
            "It was a_ {hum#} who lent a_ {thing#} to {name#}.",
            "Thanks to a_ {hum#}, {name#} obtained a_ {thing#}.",
        ),
        "The concert was a huge success.",
        (
            ("Who borrowed a_ {thing#}?", "{name#}"),
            ("What did {name#} borrow?", "{thing#}"),
            ("Who lent something to {name#}?", "{hum#}"),
            ("Who lent the {thing#}?", "{hum#}"),
            ("To whom did the {hum#} lend something?", "{name#}"),
        ),
        "{name5} rehearsed alone upstairs.",
        ("What did {name5} borrow?", "Who lent something to {name5}?"),
    ),
]
