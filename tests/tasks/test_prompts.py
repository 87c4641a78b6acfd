"""Prompts: rendering, checks and shortening, against whitespace tokens counted by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from benchsuite.errors import CellFailed, InputError
from benchsuite.regimes.zeroshot_methods import build_requests
from benchsuite.tasks.example import Example
from benchsuite.tasks.prompts import (
    fit_to_window,
    render,
    select_prompts,
    values_of,
)
from benchsuite.tasks.spec import Prompt, TaskSpec, Truncation
from tests.regimes.fakes import FakeScorer


def spec_of(prompts: list[dict[str, Any]], kind: str = "choice", **parts: Any) -> TaskSpec:
    fields = {
        "choice": {"context": "a", "question": "q", "options": "o", "label": "l"},
        "classification": {"text": "t", "label": "l"},
        "regression": {"text": "t", "label": "l"},
        "minimal_pair": {"good": "g", "bad": "b"},
        "span": {"context": "c", "question": "q", "answers": "a"},
        "tagging": {"tokens": "t", "tags": "n"},
    }[kind]
    metric = {"span": "f1", "tagging": "entity_f1"}.get(kind, "accuracy")
    spec = TaskSpec.model_validate(
        {
            "version": 1,
            "kind": kind,
            "description": "made",
            "dataset": {"files": {"validation": "v.jsonl"}, "train_split": None},
            "fields": fields,
            "metrics": [metric],
            "prompts": prompts,
            **parts,
        }
    )
    return spec.model_copy(update={"id": "made/task"})


def choice(template: str, continuation: str = " {{ option }}") -> dict[str, Any]:
    return {"name": "p", "method": "choice", "template": template, "continuation": continuation}


PROMPT = Prompt(name="p", method="pair", template="{{ text }}")


@pytest.mark.parametrize(
    "template",
    [
        "{{ contxt }}",
        "{{ context",
        "{{ context | nosuchfilter }}",
        "{{ option }}",  # there only in the continuation
        "{{ range(3) }}",
        "{{ lipsum() }}",
        "{{ context | list | random }}",  # rendering is pure
    ],
)
def test_a_task_with_a_bad_template_is_no_task(template: str) -> None:
    with pytest.raises(ValidationError, match="template"):
        spec_of([choice(template)])


@settings(deadline=None)
@given(st.text())
def test_text_of_the_data_is_a_value_never_a_template(text: str) -> None:
    for data in (text, "{{ 7 * 7 }}" + text, "{% for x in y %}" + text):
        assert render(PROMPT, "[{{ text }}]\n", {"text": data}) == f"[{data}]\n"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ text.__init__.__globals__ }}",
        "{{ options.append('x') }}",  # an example is never changed
        "{{ options[9] }}",
        "{{ text + 1 }}",
    ],
)
def test_the_sandbox_holds(template: str) -> None:
    with pytest.raises(CellFailed, match="prompt 'p'"):
        render(PROMPT, template, {"text": "t", "options": ["a"]})


def test_a_sentence_is_its_tokens_with_spaces() -> None:
    example = Example("1", "v", "", "1", "", {"tokens": ["Ann", "left", "."]}, (0, 0, 0))
    spec = spec_of([], "tagging", labels=["O", "B-PER", "I-PER"])
    assert values_of(spec, example)["sentence"] == "Ann left ."


def test_select_prompts() -> None:
    spec = spec_of([choice("{{ context }}") | {"name": name} for name in ("first", "second")])
    assert [p.name for p in select_prompts(spec, None)] == ["first", "second"]
    assert [p.name for p in select_prompts(spec, ("second",))] == ["second"]
    with pytest.raises(InputError, match="no prompt 'secnd'; did you mean 'second'"):
        select_prompts(spec, ("secnd",))


def longest(requests: list[Any]) -> int:
    return max(
        len((one.context + text).split()) for one in requests for text in one.continuations or ("",)
    )


@settings(deadline=None)
@given(
    context=st.integers(0, 60),
    question=st.integers(1, 8),
    options=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    window=st.integers(20, 80),
    keep=st.sampled_from(["start", "end"]),
)
def test_only_the_named_field_is_shortened_and_the_result_fits(
    context: int, question: int, options: list[int], window: int, keep: str
) -> None:
    values = {
        # Words of four letters: bytes exceed the window before tokens do.
        "context": " ".join(f"c{place:03d}" for place in range(context)),
        "question": " ".join(f"q{place:03d}" for place in range(question)),
        "options": [" ".join(["word"] * length) for length in options],
    }
    prompt = Prompt.model_validate(choice("{{ context }} Q: {{ question }} A:"))
    truncation = Truncation.model_validate({"shorten": "context", "keep": keep})
    requests, shortened = fit_to_window(
        values,
        lambda changed: build_requests(prompt, changed),
        truncation,
        FakeScorer(max_length=window),
    )
    fixed = question + 2 + max(options)
    kept = max(0, min(context, window - fixed))
    assert longest(requests) == kept + fixed <= window
    assert shortened == (kept < context)
    words = values["context"].split()
    part = " ".join(words[:kept] if keep == "start" else words[context - kept :])
    assert requests == build_requests(prompt, {**values, "context": part})


def test_generation_keeps_room_for_what_is_generated() -> None:
    prompt = Prompt(name="p", method="generate", template="{{ context }} A:", max_new_tokens=5)
    values = {"context": "word " * 40}
    requests, shortened = fit_to_window(
        values,
        lambda changed: build_requests(prompt, changed),
        Truncation(shorten="context"),
        FakeScorer(max_length=16),
        reserve=5,
    )
    assert shortened
    assert requests[0].context.split() == ["word"] * 10 + ["A:"]


def test_sides_that_are_apart_have_a_window_each() -> None:
    prompt = Prompt.model_validate(choice("{{ context }} A:"))
    for words, option, kept in ((15, 16, 15), (20, 3, 15), (3, 17, 0)):
        values = {"context": "word " * words, "options": ["so " * option, "so"]}
        requests, shortened = fit_to_window(
            values,
            lambda changed: build_requests(prompt, changed),
            Truncation(shorten="context"),
            FakeScorer(max_length=16),
            apart=True,
        )
        assert requests[0].context.split() == ["word"] * kept + ["A:"]
        assert shortened == (kept < words)


def test_seams_that_cost_tokens_take_more_than_one_step() -> None:
    class Seams(FakeScorer):
        """A token more for every three words: what a field costs depends on its length."""

        def count_tokens(self, texts: list[str]) -> list[int]:
            return [len(text.split()) + len(text.split()) // 3 for text in texts]

    prompt = Prompt(name="p", method="generate", template="{{ context }} A:", max_new_tokens=1)
    scorer = Seams(max_length=20)
    requests, _ = fit_to_window(
        {"context": "word " * 40},
        lambda changed: build_requests(prompt, changed),
        Truncation(shorten="context"),
        scorer,
        reserve=1,
    )
    assert scorer.count_tokens([requests[0].context])[0] <= 19


def test_fixed_text_that_is_too_long_empties_the_field_and_says_so() -> None:
    prompt = Prompt.model_validate(choice("{{ context }}Q: {{ question }}"))
    values = {"context": "c " * 9, "question": "q " * 50, "options": ["a"]}
    requests, shortened = fit_to_window(
        values,
        lambda changed: build_requests(prompt, changed),
        Truncation(shorten="context"),
        FakeScorer(max_length=20),
    )
    assert shortened and requests[0].context.startswith("Q:")


def test_without_truncation_nothing_is_counted_or_cut() -> None:
    prompt = Prompt.model_validate(choice("{{ context }}"))
    values = {"context": "c " * 90, "options": ["a"]}
    requests, shortened = fit_to_window(
        values, lambda changed: build_requests(prompt, changed), None, FakeScorer(max_length=20)
    )
    assert not shortened and requests == build_requests(prompt, values)
