"""Paradigms of the evaluation half: no pattern stands in the training half."""

from __future__ import annotations

from tools.mini.paradigms import Cross, Order, Paradigm
from tools.mini.paradigms_train import HAS, HUM1, IS, SELF, SELVES, THING1, WAS

ANIMAL1 = ("{animal1.sg}", "{animal1.pl}")
AGREEMENT: list[Paradigm] = [
    Cross("agreement_phrase", "Now the {A} from the {place.any} {B} {adjh}.", HUM1, IS),
    Cross("agreement_phrase", "The {A} between the {thing2.pl} {B} not {adjt}.", THING1, WAS),
    Cross("agreement_phrase", "{B} the {A} beside the {hum2.any} {adjh}?", HUM1, IS),
    Cross("agreement_clause", "The {A} whom the {hum2.any} {tvh.past} {B} very {adjh}.", HUM1, WAS),
    Cross(
        "agreement_clause",
        "The {A} who {tvh.past} my {hum2.any} {B} never {unerg.en}.",
        HUM1,
        HAS,
    ),
    Cross("coordination", "Our {animal1} {A} our {animal2} {B} {adja}.", ("beside", "and"), WAS),
    Cross("coordination", "My {male} {A} my {female} {B} not {adjh}.", ("behind", "and"), IS),
    Cross(
        "quantifier_verb",
        "{A} from the {place} {B} {adjh}.",
        ("another {hum}", "most {hum.pl}"),
        WAS,
    ),
    Cross("quantifier_verb", "Only {A} {B} {adjt}.", ("one {thing}", "two {thing.pl}"), IS),
]
NOUN_PHRASE: list[Paradigm] = [
    Cross("determiner_noun", "My {male} {tvo.past} {A} {adjt} {B}.", ("another", "two"), THING1),
    Cross(
        "determiner_noun", "{A} {adjt} {B} vanished from the {place}.", ("this", "these"), THING1
    ),
    Cross("determiner_noun", "{name} never {tvh.past} {A} {B}.", ("that", "those"), ANIMAL1),
    Cross(
        "quantity",
        "The {hum} purchased too {A} {B}.",
        ("much", "many"),
        ("{mass}", "{thing.pl}"),
    ),
    Cross("there_is", "Here {A} the {adjt} {B}.", IS, THING1),
    Cross("reflexive", "{A} never {refl.past} {B}.", ("{man}", "{woman}"), SELF),
    Cross(
        "reflexive",
        "The {A} whom the {hum} {tvh.past} {refl.past} {B}.",
        ("{male.sg}", "{male.pl}"),
        SELVES,
    ),
]
VERB_PHRASE: list[Paradigm] = [
    Cross(
        "argument_structure",
        "My {female} suddenly {A}{B}.",
        ("{strict.past}", "{iv.past}"),
        (" a_ {thing}", ""),
        vary="a",
    ),
    Cross(
        "argument_structure",
        "Who {A}{B} on {day}?",
        ("{strict.past}", "{iv.past}"),
        (" the {adjt} {thing}", ""),
        vary="a",
    ),
    Cross(
        "passive",
        "On {day} both {hum.pl} {A}{B}.",
        ("were ", ""),
        ("{tvs.en}", "{unerg.past}"),
    ),
    Cross(
        "filler_gap",
        "{A} will our {hum} {strict.base}{B}?",
        ("what", "when"),
        ("", " the {thing}"),
        vary="a",
    ),
    Cross(
        "filler_gap",
        "Nobody {know.past} {A} {name} {strict.past}{B}.",
        ("what", "that"),
        ("", " the {thing}"),
        vary="a",
    ),
    Cross(
        "verb_form",
        "Our {hum.pl} {A} {B} on {day}.",
        ("had", "were"),
        ("{unerg.en}", "{unerg.ing}"),
    ),
    Cross(
        "verb_form",
        "The {hum} {A} not {B} the {thing}.",
        ("did", "has"),
        ("{tvo.base}", "{tvo.en}"),
    ),
    Cross(
        "complement",
        "My {male} {A} {B} the {thing}.",
        ("{toverb.past}", "{ingverb.past}"),
        ("to {tvo.base}", "{tvo.ing}"),
        vary="a",
    ),
    Cross(
        "tense",
        "{A} {day} my {hum} {B} the {thing}.",
        ("last", "next"),
        ("{tvo.past}", "will {tvo.base}"),
        vary="a",
    ),
]
WORD_ORDER: list[Paradigm] = [
    Order(
        "pronoun_case",
        "On {day} {pron.nom} {tvh.past} {pron.acc} again.",
        "On {day} {pron.acc} {tvh.past} {pron.nom} again.",
    ),
    Order(
        "word_order",
        "My {adjt} {thing1} was under the {thing2}.",
        "My {thing1} {adjt} was under the {thing2}.",
    ),
    Order(
        "word_order",
        "My {female} had {adv} {tvo.en} the {thing}.",
        "My {female} had {tvo.en} {adv} the {thing}.",
    ),
]

PARADIGMS = [*AGREEMENT, *NOUN_PHRASE, *VERB_PHRASE, *WORD_ORDER]
