"""Entailment templates of the training half.

Each has two premises and two hypotheses. The first premise entails the first hypothesis alone, the
second premise the second alone, so that neither sentence tells the label without the other.
"""

from __future__ import annotations

Crossed = tuple[str, str, str, str]

TEMPLATES: list[Crossed] = [
    # voice and argument order
    (
        "The {hum1} {tvh.past} the {hum2}.",
        "The {hum2} {tvh.past} the {hum1}.",
        "The {hum2} was {tvh.en} by the {hum1}.",
        "The {hum1} was {tvh.en} by the {hum2}.",
    ),
    (
        "{name1} was {tvh.en} by {name2}.",
        "{name2} was {tvh.en} by {name1}.",
        "It was {name2} who {tvh.past} {name1}.",
        "It was {name1} who {tvh.past} {name2}.",
    ),
    (
        "It was the {hum1} that the {hum2} {tvh.past}.",
        "It was the {hum2} that the {hum1} {tvh.past}.",
        "The {hum2} {tvh.past} the {hum1}.",
        "The {hum1} {tvh.past} the {hum2}.",
    ),
    (
        "{name1} gave the {thing} to {name2}.",
        "{name2} gave the {thing} to {name1}.",
        "{name2} got the {thing} from {name1}.",
        "{name1} got the {thing} from {name2}.",
    ),
    (
        "The {hum1} sold the {hum2} a_ {thing}.",
        "The {hum2} sold the {hum1} a_ {thing}.",
        "The {hum2} bought a_ {thing} from the {hum1}.",
        "The {hum1} bought a_ {thing} from the {hum2}.",
    ),
    (
        "{name1} taught {name2} a song.",
        "{name2} taught {name1} a song.",
        "{name2} learned a song from {name1}.",
        "{name1} learned a song from {name2}.",
    ),
    (
        "The {hum1} who {tvh.past} the {hum2} {iv.past}.",
        "The {hum1} {tvh.past} the {hum2} who {iv.past}.",
        "The {hum1} {iv.past}.",
        "The {hum2} {iv.past}.",
    ),
    (
        "The {hum1} that the {hum2} {tvh.past} was {adjh}.",
        "The {hum2} {tvh.past} the {hum1} and was {adjh}.",
        "The {hum1} was {adjh}.",
        "The {hum2} was {adjh}.",
    ),
    # negation
    (
        "{name} bought a_ {thing1} but not a_ {thing2}.",
        "{name} bought a_ {thing2} but not a_ {thing1}.",
        "{name} bought a_ {thing1}.",
        "{name} bought a_ {thing2}.",
    ),
    (
        "{name1} {iv.past}, but {name2} did not.",
        "{name2} {iv.past}, but {name1} did not.",
        "{name1} {iv.past}.",
        "{name2} {iv.past}.",
    ),
    (
        "The {hum} {tvo.past} a_ {thing1} instead of a_ {thing2}.",
        "The {hum} {tvo.past} a_ {thing2} instead of a_ {thing1}.",
        "The {hum} {tvo.past} a_ {thing1}.",
        "The {hum} {tvo.past} a_ {thing2}.",
    ),
    (
        "Both {name1} and {name2} {iv.past}.",
        "Neither {name1} nor {name2} {iv.past}.",
        "{name1} {iv.past}.",
        "{name1} did not {iv.base}.",
    ),
    (
        "No one but {name} {iv.past}.",
        "Everyone but {name} {iv.past}.",
        "{name} {iv.past}.",
        "{name} did not {iv.base}.",
    ),
    (
        "Not only {name1} but also {name2} {iv.past}.",
        "Neither the {hum} nor {name1} {iv.past}.",
        "{name1} {iv.past}.",
        "{name1} did not {iv.base}.",
    ),
    # verbs that imply or deny
    (
        "The {hum} forgot to bring the {thing}.",
        "The {hum} did not forget to bring the {thing}.",
        "The {hum} did not bring the {thing}.",
        "The {hum} brought the {thing}.",
    ),
    (
        "{name} refused to {unerg.base}.",
        "{name} did not stop but kept {unerg.ing}.",
        "{name} did not {unerg.base}.",
        "{name} went on {unerg.ing}.",
    ),
    (
        "{name1} made {name2} {unerg.base}.",
        "{name1} kept {name2} from {unerg.ing}.",
        "{name2} {unerg.past}.",
        "{name2} did not {unerg.base}.",
    ),
    (
        "It is true that the {hum} {tvo.past} the {thing}.",
        "It is not true that the {hum} {tvo.past} the {thing}.",
        "The {hum} {tvo.past} the {thing}.",
        "The {hum} did not {tvo.base} the {thing}.",
    ),
    (
        "{name} no longer works in the {place}.",
        "{name} still works in the {place}.",
        "{name} does not work in the {place} now.",
        "{name} works in the {place} now.",
    ),
    (
        "The {hum} almost fell in the {place}.",
        "The {hum} really did fall in the {place}.",
        "The {hum} did not fall.",
        "The {hum} fell.",
    ),
    (
        "{name} knows that the {thing} is {adjt}.",
        "{name} wrongly thinks that the {thing} is {adjt}.",
        "The {thing} is {adjt}.",
        "The {thing} is not {adjt}.",
    ),
    # quantity
    (
        "All the {thing.pl} in the {place} are {adjt}.",
        "None of the {thing.pl} in the {place} are {adjt}.",
        "Some of the {thing.pl} in the {place} are {adjt}.",
        "Some of the {thing.pl} in the {place} are not {adjt}.",
    ),
    (
        "Every {animal} {av.past}.",
        "No {animal} {av.past}.",
        "Every {adja} {animal} {av.past}.",
        "No {adja} {animal} {av.past}.",
    ),
    (
        "{name1} has five {thing.pl} and {name2} has three.",
        "{name1} has three {thing.pl} and {name2} has five.",
        "{name1} has more {thing.pl} than {name2}.",
        "{name2} has more {thing.pl} than {name1}.",
    ),
    (
        "The {hum} has more than six {thing.pl}.",
        "The {hum} has fewer than two {thing.pl}.",
        "The {hum} has at least four {thing.pl}.",
        "The {hum} has fewer than four {thing.pl}.",
    ),
    (
        "One of the {thing.pl} is {adjt} and the others are not.",
        "One of the {thing.pl} is not {adjt} but the others are.",
        "Only one of the {thing.pl} is {adjt}.",
        "All but one of the {thing.pl} are {adjt}.",
    ),
    (
        "The {hum} saw every {animal} but one.",
        "The {hum} saw one {animal} but no other.",
        "There was just one {animal} that the {hum} did not see.",
        "There was just one {animal} that the {hum} saw.",
    ),
    # comparison, place and time
    (
        "{name1} is older than {name2}.",
        "{name2} is older than {name1}.",
        "{name2} is younger than {name1}.",
        "{name1} is younger than {name2}.",
    ),
    (
        "The {thing1} is heavier than the {thing2}.",
        "The {thing2} is heavier than the {thing1}.",
        "The {thing2} is not as heavy as the {thing1}.",
        "The {thing1} is not as heavy as the {thing2}.",
    ),
    (
        "{name1} is taller than {name2}, and {name2} is taller than {name3}.",
        "{name3} is taller than {name2}, and {name2} is taller than {name1}.",
        "{name1} is taller than {name3}.",
        "{name3} is taller than {name1}.",
    ),
    (
        "The {thing1} is to the left of the {thing2}.",
        "The {thing2} is to the left of the {thing1}.",
        "The {thing2} is to the right of the {thing1}.",
        "The {thing1} is to the right of the {thing2}.",
    ),
    (
        "The {thing1} is above the {thing2}.",
        "The {thing2} is above the {thing1}.",
        "The {thing2} is below the {thing1}.",
        "The {thing1} is below the {thing2}.",
    ),
    (
        "{name1} is in the {place1} and {name2} is in the {place2}.",
        "{name1} is in the {place2} and {name2} is in the {place1}.",
        "{name1} is in the {place1}.",
        "{name1} is in the {place2}.",
    ),
    (
        "The {thing1} is in the trunk, the {thing2} is not, and the trunk is in the {place}.",
        "The {thing2} is in the trunk, the {thing1} is not, and the trunk is in the {place}.",
        "The {thing1} is in the {place}.",
        "The {thing2} is in the {place}.",
    ),
    (
        "{name1} left before {name2} came.",
        "{name2} came before {name1} left.",
        "{name2} came after {name1} left.",
        "{name1} left after {name2} came.",
    ),
    (
        "{name1} arrived at two and {name2} at five.",
        "{name1} arrived at five and {name2} at two.",
        "{name2} arrived later than {name1}.",
        "{name1} arrived later than {name2}.",
    ),
    (
        "{name1} walked in front of {name2}.",
        "{name2} walked in front of {name1}.",
        "{name2} walked behind {name1}.",
        "{name1} walked behind {name2}.",
    ),
    # choice and coordination
    (
        "Either the {hum1} or the {hum2} took the {thing}, and the {hum2} did not.",
        "Either the {hum1} or the {hum2} took the {thing}, and the {hum1} did not.",
        "The {hum1} took the {thing}.",
        "The {hum2} took the {thing}.",
    ),
    (
        "{name1} danced and {name2} worked.",
        "{name2} danced and {name1} worked.",
        "{name1} danced.",
        "{name2} danced.",
    ),
    (
        "If it rains, {name} sleeps, and today it rains.",
        "If it rains, {name} works, and today it rains.",
        "{name} sleeps today.",
        "{name} works today.",
    ),
    (
        "{woman} is the aunt of {man}.",
        "{man} is the uncle of {woman}.",
        "{man} is the nephew of {woman}.",
        "{woman} is the niece of {man}.",
    ),
    (
        "{name1} is the {hum} that {name2} likes.",
        "{name2} is the {hum} that {name1} likes.",
        "{name2} likes {name1}.",
        "{name1} likes {name2}.",
    ),
]
