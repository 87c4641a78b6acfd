"""A model with constant logits knows nothing: real requests tie exactly."""

import pytest

from benchsuite.models.registry import Model, load_model
from benchsuite.regimes.scores import normalized
from benchsuite.regimes.zeroshot_methods import best_of
from benchsuite.scoring import score
from tests.scoring.real import needs_data, real_requests
from tests.tiny import tiny_gpt2


@pytest.fixture(scope="module")
def constant(tmp_path_factory) -> Model:
    folder = tmp_path_factory.mktemp("constant")
    return load_model(str(tiny_gpt2(folder, n_positions=2048, constant=0.0)))


@needs_data
def test_all_options_of_a_question_tie(constant):
    """Normalized by tokens, whatever the lengths of the options."""
    found = score(constant, real_requests("race/middle", 20))
    assert any(len(set(one.token_counts)) > 1 for one in found)
    assert {best_of(normalized(one, "token")).tied for one in found} == {(0, 1, 2, 3)}


@needs_data
def test_sentences_of_equal_length_tie(constant):
    """A sum depends on the number of tokens: a shorter sentence wins, equal ones tie."""
    for one in score(constant, real_requests("blimp", 2)):
        good, bad = one.token_counts
        expected = (0, 1) if good == bad else ()
        prediction = best_of(one.log_likelihoods)
        assert prediction.tied == expected
        assert expected or prediction.value == int(bad < good)
