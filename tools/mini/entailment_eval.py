"""Entailment templates of the evaluation half: the matched register, and notices and reports."""

from __future__ import annotations

from tools.mini.entailment_train import Crossed

MATCHED: list[Crossed] = [
    (
        "My {female} {tvh.past} my {male}.",
        "My {male} {tvh.past} my {female}.",
        "My {male} had been {tvh.en} by my {female}.",
        "My {female} had been {tvh.en} by my {male}.",
    ),
    (
        "{name1} lent {name2} a_ {adjt} {thing}.",
        "{name2} lent {name1} a_ {adjt} {thing}.",
        "{name2} borrowed a_ {adjt} {thing} from {name1}.",
        "{name1} borrowed a_ {adjt} {thing} from {name2}.",
    ),
    (
        "{name1} defeated {name2} at chess.",
        "{name2} defeated {name1} at chess.",
        "{name2} lost to {name1} at chess.",
        "{name1} lost to {name2} at chess.",
    ),
    (
        "My {male} uses the {thing1} rather than the {thing2}.",
        "My {male} uses the {thing2} rather than the {thing1}.",
        "My {male} uses the {thing1} now.",
        "My {male} uses the {thing2} now.",
    ),
    (
        "{name} managed to {tvo.base} the {thing}.",
        "{name} failed to {tvo.base} the {thing}.",
        "In the end {name} {tvo.past} the {thing}.",
        "In the end {name} did not {tvo.base} the {thing}.",
    ),
    (
        "Most of our {thing.pl} are {adjt}.",
        "Few of our {thing.pl} are {adjt}.",
        "More than half of our {thing.pl} are {adjt}.",
        "Fewer than half of our {thing.pl} are {adjt}.",
    ),
    (
        "Whoever greeted the {hum1} {iv.past}, and {name1} greeted the {hum1}.",
        "Whoever greeted the {hum1} {iv.past}, and {name2} greeted the {hum1}.",
        "So {name1} {iv.past}.",
        "So {name2} {iv.past}.",
    ),
    (
        "{name1} is stronger than both {name2} and {name3}.",
        "{name2} is stronger than both {name1} and {name3}.",
        "{name2} is weaker than {name1}.",
        "{name1} is weaker than {name2}.",
    ),
    (
        "On {day} our {hum} was in the {place1}, not in the {place2}.",
        "On {day} our {hum} was in the {place2}, not in the {place1}.",
        "Our {hum} spent some of {day} in the {place1}.",
        "Our {hum} spent some of {day} in the {place2}.",
    ),
    (
        "{name1} stayed until {name2} departed.",
        "{name2} stayed until {name1} departed.",
        "{name1} was still there when {name2} departed.",
        "{name2} was still there when {name1} departed.",
    ),
    (
        "{name1} yawned because {name2} sneezed.",
        "{name2} sneezed because {name1} yawned.",
        "What {name2} did caused {name1} to yawn.",
        "What {name1} did caused {name2} to sneeze.",
    ),
    (
        "My {female} regrets that she {tvo.past} the {thing}.",
        "My {female} pretends that she {tvo.past} the {thing}.",
        "My {female} {tvo.past} the {thing}.",
        "My {female} did not {tvo.base} the {thing}.",
    ),
]
MISMATCHED: list[Crossed] = [
    (
        "{group1.pl} must pay a fee, but {group2.pl} need not.",
        "{group2.pl} must pay a fee, but {group1.pl} need not.",
        "A fee is required of {group1.pl}.",
        "A fee is required of {group2.pl}.",
    ),
    (
        "According to the minutes, the {body1} outvoted the {body2}.",
        "According to the minutes, the {body2} outvoted the {body1}.",
        "The minutes report that the {body2} was outvoted by the {body1}.",
        "The minutes report that the {body1} was outvoted by the {body2}.",
    ),
    (
        "The {body} approved the {paper1} and rejected the {paper2}.",
        "The {body} approved the {paper2} and rejected the {paper1}.",
        "The {paper1} has been approved by the {body}.",
        "The {paper2} has been approved by the {body}.",
    ),
    (
        "Without a signed {paper1}, no {group} may enter; a_ {paper2} is not necessary.",
        "Without a signed {paper2}, no {group} may enter; a_ {paper1} is not necessary.",
        "In order to enter, a_ {group} requires a signed {paper1}.",
        "In order to enter, a_ {group} requires a signed {paper2}.",
    ),
    (
        "The {body1} reports to the {body2}.",
        "The {body2} reports to the {body1}.",
        "The {body2} receives reports from the {body1}.",
        "The {body1} receives reports from the {body2}.",
    ),
    (
        "All {group.pl} except those from {town1} attended the session.",
        "No {group.pl} except those from {town1} attended the session.",
        "The {group.pl} from {town1} were absent from the session.",
        "The {group.pl} from {town1} were present at the session.",
    ),
    (
        "Revenue in {town1} exceeded that in {town2}.",
        "Revenue in {town2} exceeded that in {town1}.",
        "{town2} recorded lower revenue than {town1}.",
        "{town1} recorded lower revenue than {town2}.",
    ),
    (
        "The {body} has postponed the vote on the {paper}.",
        "The {body} has completed the vote on the {paper}.",
        "The vote on the {paper} has yet to be held.",
        "The vote on the {paper} is over.",
    ),
    (
        "Unless the {body} objects, the {rule} applies, and the {body} does not object.",
        "Unless the {body} objects, the {rule} applies; the {body} has now objected to it.",
        "The {rule} applies.",
        "The {rule} does not apply.",
    ),
    (
        "Should the {rule1} and the {rule2} conflict, the former prevails.",
        "Should the {rule1} and the {rule2} conflict, the latter prevails.",
        "In a conflict the {rule1} prevails over the {rule2}.",
        "In a conflict the {rule2} prevails over the {rule1}.",
    ),
    (
        "Neither the {body1} nor the {body2} endorsed the {paper}.",
        "Not only the {body1} but also the {body2} endorsed the {paper}.",
        "The {paper} lacks the endorsement of the {body1}.",
        "The {paper} has the endorsement of the {body1}.",
    ),
    (
        "The office in {town1} opened in May, a month ahead of the one in {town2}.",
        "The office in {town2} opened in May, a month ahead of the one in {town1}.",
        "The office in {town1} predates the one in {town2}.",
        "The office in {town2} predates the one in {town1}.",
    ),
]
