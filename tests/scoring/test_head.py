"""Reading off an output matrix in pieces, against the table of all log-probabilities."""

import pytest
import torch
from torch import nn

from benchsuite.scoring import head as module
from benchsuite.scoring.head import read_through
from benchsuite.scoring.values import read_off


@pytest.fixture
def pieces(monkeypatch):
    monkeypatch.setattr(module, "ROWS", 7)
    monkeypatch.setitem(module.LOGITS, "cpu", 7 * 4)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pieces_give_what_the_whole_table_gives(pieces, bias, dtype):
    torch.manual_seed(0)
    head = nn.Linear(5, 30, bias=bias).to(dtype)
    states = 4 * torch.randn(50, 5).to(dtype)
    logs = head(states).float().log_softmax(1)
    # Places in no order, some twice, some never; every third token is the likeliest one.
    places = [at * 11 % 47 for at in range(200)]
    tokens = [int(logs[at].argmax()) if at % 3 else at % 30 for at in places]
    expected = read_off(logs, places, tokens)
    found = read_through(head, states, places, tokens)
    assert [value for value, _ in found] == pytest.approx(
        [value for value, _ in expected], abs=1e-5
    )
    assert [best for _, best in found] == [best for _, best in expected]
    assert 50 < sum(best for _, best in found) < 200


def test_of_tokens_that_tie_the_first_is_the_likeliest_across_pieces(pieces):
    head = nn.Linear(1, 12, bias=False)
    nn.init.zeros_(head.weight)
    head.weight.data[[2, 3, 5, 11]] = 1.0  # twice in the first piece, once in each of the others
    found = read_through(head, torch.ones(1, 1), [0] * 5, [2, 3, 5, 11, 0])
    assert [best for _, best in found] == [True, False, False, False, False]
    assert len({value for value, _ in found[:4]}) == 1


def test_a_later_piece_outdoes_an_earlier_one(pieces):
    head = nn.Linear(1, 12, bias=False)
    head.weight.data = torch.arange(12.0)[:, None]
    found = read_through(head, torch.ones(1, 1), [0, 0], [3, 11])
    assert [best for _, best in found] == [False, True]


def test_a_piece_without_any_possible_token(pieces):
    head = nn.Linear(1, 12)
    head.bias.data[4:8] = -torch.inf
    logs = head(torch.ones(1, 1)).log_softmax(1)
    found = read_through(head, torch.ones(1, 1), [0] * 3, [1, 5, 9])
    assert [value for value, _ in found] == pytest.approx(logs[0, [1, 5, 9]].tolist(), abs=1e-5)


@pytest.mark.parametrize("far", [1e4, -1e4])
def test_logits_far_from_zero(pieces, far):
    torch.manual_seed(0)
    head = nn.Linear(5, 30)
    head.bias.data += far
    states = torch.randn(9, 5)
    logits = head(states).double()  # the rounding of the logits themselves is not the head's
    places, tokens = list(range(9)), [7, 8, 9, 10, 11, 12, 28, 29, 0]
    expected = logits.log_softmax(1)[places, tokens].tolist()
    found = read_through(head, states, places, tokens)
    assert [value for value, _ in found] == pytest.approx(expected, abs=1e-5)
    assert read_through(head, states, [], []) == []
