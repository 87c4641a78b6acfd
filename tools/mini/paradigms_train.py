"""Paradigms of the training half."""

from __future__ import annotations

from tools.mini.paradigms import Cross, Order, Paradigm

IS, WAS, HAS = ("is", "are"), ("was", "were"), ("has", "have")
HUM1, THING1 = ("{hum1.sg}", "{hum1.pl}"), ("{thing1.sg}", "{thing1.pl}")
SELF, SELVES = ("himself", "herself"), ("himself", "themselves")

AGREEMENT: list[Paradigm] = [
    Cross("agreement_phrase", "The {A} near the {hum2.any} {B} {adjh}.", HUM1, IS),
    Cross("agreement_phrase", "The {A} next to the {thing2.any} {B} {adjt}.", THING1, IS),
    Cross(
        "agreement_phrase",
        "The {A} behind the {thing.any} {B} {adja}.",
        ("{animal.sg}", "{animal.pl}"),
        WAS,
    ),
    Cross("agreement_phrase", "The {A} near the {hum2.any} {B} a_ {adjt} {thing}.", HUM1, HAS),
    Cross("agreement_phrase", "The {A} behind the {hum2.any} {B} not {unerg.ing}.", HUM1, WAS),
    Cross("agreement_clause", "The {A} that the {hum2.any} {tvh.past} {B} {adjh}.", HUM1, IS),
    Cross("agreement_clause", "The {A} that {tvh.past} the {hum2.any} {B} {adjh}.", HUM1, WAS),
    Cross("agreement_clause", "The {A} that the {hum.any} {tvo.past} {B} {adjt}.", THING1, IS),
    Cross("agreement_clause", "The {A} that {tvh.past} the {hum2.any} {B} {iv.en}.", HUM1, HAS),
    Cross("agreement_clause", "The {A} that the {animal.any} liked {B} in the {place}.", HUM1, WAS),
    Cross("coordination", "The {hum1} {A} the {hum2} {B} {adjh}.", ("near", "and"), IS),
    Cross("coordination", "The {thing1} {A} the {thing2} {B} {adjt}.", ("under", "and"), WAS),
    Cross("coordination", "The {hum1} {A} the {hum2} {B} {iv.en}.", ("behind", "and"), HAS),
    Cross(
        "coordination",
        "{name1}'s {animal1} {A} {name2}'s {animal2} {B} {adja}.",
        ("near", "and"),
        IS,
    ),
    Cross(
        "quantifier_verb",
        "{A} in the {place} {B} {adjh}.",
        ("every {hum}", "all the {hum.pl}"),
        IS,
    ),
    Cross("quantifier_verb", "{A} {B} {iv.en}.", ("each {hum}", "both {hum.pl}"), HAS),
    Cross("quantifier_verb", "{A} the {hum.pl} {B} {adjh}.", ("one of", "some of"), IS),
    Cross("quantifier_verb", "{A} of the {thing.pl} {B} {adjt}.", ("each", "all"), WAS),
]
NOUN_PHRASE: list[Paradigm] = [
    Cross("determiner_noun", "The {hum} {tvo.past} {A} {B}.", ("this", "these"), THING1),
    Cross("determiner_noun", "{A} {B} {tvh.past} the {hum2.any}.", ("this", "these"), HUM1),
    Cross("determiner_noun", "The {hum} {tvo.past} {A} {adjt} {B}.", ("that", "those"), THING1),
    Cross("determiner_noun", "{name} {tvo.past} {A} {B}.", ("every", "several"), THING1),
    Cross("determiner_noun", "{A} {B} {iv.past} in the {place}.", ("each", "many"), HUM1),
    Cross(
        "quantity",
        "The {hum} did not have {A} {B}.",
        ("much", "many"),
        ("{mass}", "{thing.pl}"),
    ),
    Cross(
        "quantity",
        "How {A} {B} did the {hum} have?",
        ("much", "many"),
        ("{mass}", "{thing.pl}"),
    ),
    Cross("there_is", "There {A} no {B} in the {place}.", WAS, THING1),
    Cross(
        "there_is", "There {A} no {adja} {B} in the {place}.", IS, ("{animal.sg}", "{animal.pl}")
    ),
    Cross("reflexive", "The {A} near the {hum.any} {refl.past} {B}.", ("{male}", "{female}"), SELF),
    Cross("reflexive", "The {A} {refl.past} {B}.", ("{male.sg}", "{male.pl}"), SELVES),
    Cross("reflexive", "{A} {refl.past} {B} in the {place}.", ("{man}", "{woman}"), SELF),
    Cross("reflexive", "The {hum} said that {A} {refl.past} {B}.", ("{man}", "{woman}"), SELF),
]
VERB_PHRASE: list[Paradigm] = [
    Cross(
        "argument_structure",
        "The {hum} {A}{B}.",
        ("{strict.past}", "{iv.past}"),
        (" the {thing}", ""),
        vary="a",
    ),
    Cross(
        "argument_structure",
        "{name} {A}{B} in the {place}.",
        ("{strict.past}", "{iv.past}"),
        (" the {adjt} {thing}", ""),
        vary="a",
    ),
    Cross(
        "passive",
        "The {hum} {A}{B} in the {place}.",
        ("was ", ""),
        ("{tvs.en}", "{unerg.past}"),
    ),
    Cross(
        "filler_gap",
        "{A} did the {hum} {strict.base}{B}?",
        ("what", "where"),
        ("", " the {thing}"),
        vary="a",
    ),
    Cross(
        "filler_gap",
        "The {hum1} {know.past} {A} the {hum2} {strict.past}{B}.",
        ("what", "that"),
        ("", " the {thing}"),
        vary="a",
    ),
    Cross(
        "filler_gap",
        "The {A} {strict.past}{B} was in the {place}.",
        ("{thing1} that the {hum}", "{hum} that"),
        ("", " the {thing2}"),
    ),
    Cross("verb_form", "The {hum} {A} {B}.", HAS[:1] + IS[:1], ("{unerg.en}", "{unerg.ing}")),
    Cross(
        "verb_form",
        "The {hum.pl} {A} {B} in the {place}.",
        ("had", "were"),
        ("{unerg.en}", "{unerg.ing}"),
    ),
    Cross(
        "verb_form", "The {hum} {A} {B} the {thing}.", ("will", "has"), ("{tvo.base}", "{tvo.en}")
    ),
    Cross(
        "verb_form", "{A} the {hum} {B} the {thing}?", ("did", "has"), ("{tvo.base}", "{tvo.en}")
    ),
    Cross(
        "complement",
        "The {hum} {A} {B}.",
        ("{toverb.past}", "{ingverb.past}"),
        ("to {unerg.base}", "{unerg.ing}"),
        vary="a",
    ),
    Cross(
        "complement",
        "{name} {A} {B} the {hum}.",
        ("{toverb.past}", "{ingverb.past}"),
        ("to {tvh.base}", "{tvh.ing}"),
        vary="a",
    ),
    Cross(
        "tense",
        "{A} the {hum} {B} the {thing}.",
        ("yesterday", "tomorrow"),
        ("{tvo.past}", "will {tvo.base}"),
        vary="a",
    ),
]
WORD_ORDER: list[Paradigm] = [
    Order("pronoun_case", "{pron.nom} {tvh.past} {pron.acc}.", "{pron.acc} {tvh.past} {pron.nom}."),
    Order(
        "pronoun_case",
        "In the {place} {pron.nom} {tvh.past} {pron.acc}.",
        "In the {place} {pron.acc} {tvh.past} {pron.nom}.",
    ),
    Order(
        "word_order",
        "The {adjt} {thing} was in the {place}.",
        "The {thing} {adjt} was in the {place}.",
    ),
    Order(
        "word_order",
        "The {hum} {adv} {tvo.past} the {thing}.",
        "The {hum} {tvo.past} {adv} the {thing}.",
    ),
    Cross(
        "inversion",
        "{A} {B}{A2}",
        ("The {hum1} {know.past} where|.", "Where|?"),
        ("the {hum2} was", "was the {hum2}"),
    ),
]

PARADIGMS = [*AGREEMENT, *NOUN_PHRASE, *VERB_PHRASE, *WORD_ORDER]
