"""What a request may be made of."""

import pytest

from benchsuite.errors import InputError
from benchsuite.scoring import Request, make_scorer


def test_one_text_is_not_several_continuations():
    with pytest.raises(InputError, match=r"give \(' b',\), not ' b'"):
        Request("a", " b")


@pytest.mark.parametrize("request_of", [(None, ("b",)), ("a", (3,))])
def test_a_request_is_made_of_texts(request_of):
    with pytest.raises(InputError, match="made of texts, not of"):
        Request(*request_of)


def test_half_a_surrogate_pair_is_no_text():
    with pytest.raises(InputError, match="half a surrogate pair"):
        Request("a", ("b", "c\ud800"))


def test_a_batch_has_room_for_a_token():
    with pytest.raises(InputError, match="batch_tokens is 0; give at least 1"):
        make_scorer(None, batch_tokens=0)
