"""Passages of the evaluation half."""

from __future__ import annotations

from tools.mini.passages import Schema

SCHEMAS: list[Schema] = [
    Schema(
        "Our club organized its yearly contest on {day}, and several members won prizes.",
        (
            "{name#}, a_ {job#}, received a_ {thing#}.",
            "A_ {thing#} was the prize for {name#}, who is a_ {job#}.",
            "The jury handed a_ {thing#} to {name#}, a_ {job#}.",
            "{name#} earned a_ {thing#}, a nice prize for a_ {job#}.",
        ),
        "The evening ended with a toast.",
        (
            ("Who won the {thing#}?", "{name#}"),
            ("Which prize did {name#} win?", "{thing#}"),
            ("What is the profession of {name#}?", "{job#}"),
            ("Which prize did the {job#} win?", "{thing#}"),
            ("Which member is a_ {job#}?", "{name#}"),
        ),
        "{name5} attended the contest as a spectator.",
        ("Which prize did {name5} win?", "What is the profession of {name5}?"),
    ),
    Schema(
        "Several tourists shared a guide for an afternoon.",
        (
            "{name#} had flown in from {city#} and wore a_ {color#} {clothes#}.",
            "In a_ {color#} {clothes#} appeared {name#}, a visitor from {city#}.",
            "{name#}, dressed in a_ {color#} {clothes#}, was born in {city#}.",
            "The tourist from {city#}, {name#}, was wearing a_ {color#} {clothes#}.",
        ),
        "Everyone agreed that the guide was superb.",
        (
            ("Who wore the {clothes#}?", "{name#}"),
            ("What did {name#} wear?", "{clothes#}"),
            ("Which city is {name#} from?", "{city#}"),
            ("Who is from {city#}?", "{name#}"),
            ("Which color did the {clothes#} have?", "{color#}"),
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
            ("Which place did the {thing#} vanish from?", "{place#}"),
            ("What was stolen from the {place#}?", "{thing#}"),
            ("Who lost something in the {place#}?", "{name#}"),
        ),
        "Detective {name5} is examining every clue.",
        ("What was stolen from {name5}?", "Who owned the {thing9}?"),
    ),
    Schema(
        "Several relatives tidied the farmhouse before the wedding.",
        (
            "{name#} polished the {thing#} and placed it behind the {spot#}.",
            "The {thing#} was stowed behind the {spot#} by {name#}.",
            "Behind the {spot#}, {name#} stored the {thing#}.",
            "{name#} shoved the {thing#} behind the {spot#}.",
        ),
        "Afterwards everybody relaxed over tea.",
        (
            ("Who handled the {thing#}?", "{name#}"),
            ("Which item did {name#} handle?", "{thing#}"),
            ("Behind what is the {thing#} now?", "{spot#}"),
            ("Which item is behind the {spot#}?", "{thing#}"),
            ("Who placed something behind the {spot#}?", "{name#}"),
        ),
        "{name5} supervised and issued orders.",
        ("Which item did {name5} handle?", "Behind what is the {thing9} now?"),
    ),
    Schema(
        "The zoo welcomed several fresh inhabitants this year.",
        (
            "The {animal#} {name#} was a gift of {city#} and is {adja#}.",
            "{name#}, a_ {adja#} {animal#}, was shipped here from {city#}.",
            "The zoo of {city#} lent out {name#}, its {adja#} {animal#}.",
            "{city#} donated {name#}, a_ {animal#} that seems {adja#}.",
        ),
        "Visitors may admire every newcomer until October.",
        (
            ("What species is {name#}?", "{animal#}"),
            ("Who is the {animal#}?", "{name#}"),
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
            "Second was {name2}, whose {adjt2} bicycle showed a_ {animal2}.",
            "{name3} finished third on a_ {adjt3} bicycle that displayed a_ {animal3}.",
            "The slowest cyclist was {name4}, whose {adjt4} bicycle bore an image of a_ {animal4}.",
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
        "During the storm several guests exchanged rooms at the inn.",
        (
            "{name#} swapped the {color#} room for the one facing the {view#}.",
            "Instead of the {color#} room, {name#} obtained the one facing the {view#}.",
            "The room facing the {view#} is now given to {name#}, formerly in the {color#} room.",
            "{name#} switched from the {color#} room to the one facing the {view#}.",
        ),
        "Nobody noticed the thunder after that.",
        (
            ("Whose room faces the {view#} now?", "{name#}"),
            ("Who stayed in the {color#} room before?", "{name#}"),
            ("What does the room of {name#} face now?", "{view#}"),
            ("Which color did the former room of {name#} have?", "{color#}"),
            ("What is seen by the former guest of the {color#} room now?", "{view#}"),
        ),
        "{name5} snored in the lobby.",
        (
            "What does the room of {name5} face now?",
            "Which color did the former room of {name5} have?",
        ),
    ),
    Schema(
        "The members of a circus lacked objects for their show and borrowed some on {day}.",
        (
            "{name#} borrowed a_ {thing#} from a_ {hum#}.",
            "A_ {hum#} lent {name#} a_ {thing#}.",
            "It was a_ {hum#} who lent a_ {thing#} to {name#}.",
            "Thanks to a_ {hum#}, {name#} obtained a_ {thing#}.",
        ),
        "The show was a huge success.",
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
