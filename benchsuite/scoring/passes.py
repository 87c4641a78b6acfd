"""A causal network as the engine uses it: what it can be given, and the passes themselves.

What an architecture takes is not asked of its name: each way of saving work is tried once on a few
tokens against plain rows, and used where it gives the same states.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.activations import FastGELUActivation, NewGELUActivation

from benchsuite.errors import CellFailed
from benchsuite.scoring.budget import as_out_of_memory
from benchsuite.scoring.head import read_through
from benchsuite.scoring.packing import Line, lay_out, tree_mask
from benchsuite.scoring.padding import pad_rows
from benchsuite.scoring.plan import Row
from benchsuite.scoring.values import Value, read_off

if TYPE_CHECKING:
    from benchsuite.models.registry import Model

# Norm of the difference of states taken for the same, as a share of the states' norm. In bfloat16
# rounding reached 0.03 (gpt, and GPT-2 and Llama shapes of 8 layers with weights that spread by
# 0.1); ALiBi that follows from places, 0.2 or more.
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.1}
# What configurations call the reach of local attention, in tokens.
WINDOWS = (
    "sliding_window",
    "window_size",
    "attention_window",
    "attention_window_size",
    "attention_chunk_size",
)
# The rows of the self-test: branches of one beginning, the last in two depths, and a neighbour that
# gets padding. Many branches: the last lies far from the beginning in a line, and so do errors that
# grow with the distance show.
BEGIN, NEIGHBOUR = (3, 1, 4, 1, 5, 9), (2, 5, 3, 4)
BRANCHES = [(10 + number, *((5 * number + 7 * at) % 23 for at in range(4))) for number in range(9)]


class Passes:
    """Passes of one model.

    plain_head: logits are the output matrix times the last hidden state (models that scale or cap
    their logits go through their own forward pass). packs: it takes block masks and positions.
    shares: keys and values of one row can be repeated for others. reach: longest line, cached
    tokens included, for which `packs` holds; None: any. border: longest row whose positions are
    encoded as those of shorter rows, for all of its batch; None: any. pair_cost: multiplications of
    attention between two tokens, in those that a token costs otherwise.
    """

    def __init__(self, model: Model, pad: int) -> None:
        self.model = model
        self.network: Any = model.network
        self.pad = pad
        self.activations = _slow_activations(self.network)
        self.reach = _reach(self.network)
        self.border = _border(self.network)
        self.pair_cost = _pair_cost(self.network)
        self.plain_head = self.packs = self.shares = False
        self._probe()

    @torch.inference_mode()
    def states(
        self, lines: Sequence[Line], cache: Any = None, before: int = 0, packed: bool = False
    ) -> Tensor:
        """States (lines, longest, width) of right-padded lines after `before` cached tokens.

        States are last hidden states, or logits where the head is not plain. cache: of one row; it
        is left as it is. packed: with block masks, as lines of several rows need them.
        """
        longest = max(len(line.ids) for line in lines)
        ids = pad_rows([line.ids for line in lines], self.pad)[0].to(self.model.device)
        if cache is not None:
            cache = _fork(cache, len(lines))
        if packed and (before or any(len(line.places) > 1 for line in lines)):
            mask = tree_mask(lines, before, self.network.dtype)
            depths = pad_rows([line.depths for line in lines], 0)[0] + before
            extra = {"position_ids": depths.to(self.model.device)}
        else:
            # Causal attention does not look to the right, so padding there needs no masking.
            mask = ids.new_ones(len(lines), before + longest)
            extra = {}
        outputs = self._run(
            self.network.base_model if self.plain_head else self.network,
            input_ids=ids,
            attention_mask=mask.to(self.model.device),
            **extra,
            **({"use_cache": False} if cache is None else {"past_key_values": cache}),
        )
        states: Tensor = outputs.last_hidden_state if self.plain_head else outputs.logits
        return states

    @torch.inference_mode()
    def cached(self, ids: Row, cache: Any = None, before: int = 0, packed: bool = False) -> Any:
        """Keys and values of one row, which goes on from `before` cached tokens."""
        line = lay_out([ids])
        if cache is not None:
            cache = _fork(cache, 1)
        elif packed:
            # Not the model's own: that forgets what its local layers would not look at again.
            cache = DynamicCache()
        mask: Tensor = torch.ones(1, before + len(ids), dtype=torch.long)
        extra = {}
        if before and packed:
            mask = tree_mask([line], before, self.network.dtype)
            extra["position_ids"] = torch.tensor([line.depths], device=self.model.device) + before
        return self._run(
            self.network.base_model if self.plain_head else self.network,
            input_ids=torch.tensor([ids], device=self.model.device),
            attention_mask=mask.to(self.model.device),
            past_key_values=cache,
            use_cache=True,
            **extra,
            # The head would look at every position in vain.
            **({} if self.plain_head else {"logits_to_keep": 1}),
        ).past_key_values

    def packs_to(self, length: int) -> bool:
        """Whether rows of at most so many tokens may be packed."""
        near = self.reach is None or length <= self.reach
        return self.packs and near and self._within(length)

    def shares_to(self, length: int) -> bool:
        """Whether rows of at most so many tokens may share keys and values."""
        return self.shares and self._within(length)

    def _within(self, length: int) -> bool:
        return self.border is None or length <= self.border

    @torch.inference_mode()
    def values(self, states: Tensor, places: Sequence[int], tokens: Sequence[int]) -> list[Value]:
        """The value of tokens[i] after states[places[i]]; states: (places, width)."""
        if self.plain_head:
            return read_through(self.network.get_output_embeddings(), states, places, tokens)
        return read_off(states.float().log_softmax(1), places, tokens)

    def _run(self, network: Any, **arguments: Any) -> Any:
        with _fused(self.activations):
            return network(**arguments)

    @torch.inference_mode()
    def _probe(self) -> None:
        """Try what the architecture takes. Raises CellFailed where it takes no plain rows."""
        size = self.network.config.get_text_config().vocab_size
        *rows, neighbour = [tuple(token % size for token in row) for row in _trial(self.reach)]
        ids = pad_rows([*rows, neighbour], self.pad)[0].to(self.model.device)
        mask = torch.ones_like(ids)
        inner: list[Any] = []
        hook = self.network.base_model.register_forward_hook(
            lambda module, inputs, outputs: inner.append(outputs)
        )
        try:
            with as_out_of_memory():
                whole = self._run(self.network, input_ids=ids, attention_mask=mask, use_cache=True)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise CellFailed(
                f"{self.model.name} does not run in {self.model.dtype} on {self.model.device}: "
                f"{str(error).splitlines()[0]}"
            ) from error
        finally:
            hook.remove()
        head = self.network.get_output_embeddings()
        if not inner:  # the head's network goes round its base model (OPT)
            inner.append(self._run(self.network.base_model, input_ids=ids, attention_mask=mask))
        expected: Any = getattr(inner[-1], "last_hidden_state", None)
        # In bfloat16 Mamba's states are float32, which its head does not take as they are.
        self.plain_head = (
            type(head) is nn.Linear
            and expected is not None
            and expected.dtype == head.weight.dtype
            and torch.equal(head(expected), whole.logits)
        )
        if not self.plain_head:
            expected = whole.logits
        caches = type(getattr(whole, "past_key_values", None)) is DynamicCache
        self.packs = caches and self._packs(rows, neighbour, expected)
        # Beyond the reach of packing, and where there is none.
        if not self.packs or self.reach is not None:
            self.shares = caches and self._shares(rows, expected)

    def _packs(self, rows: list[Row], neighbour: Row, expected: Tensor) -> bool:
        """Whether packed lines, alone and after cached tokens, have the states of plain rows."""
        lines = [lay_out(rows), lay_out([neighbour])]
        begin, tails = len(BEGIN), lay_out([row[len(BEGIN) :] for row in rows])
        packed = _tried(lambda: self.states(lines, packed=True))
        after = _tried(
            lambda: self.states(
                [tails], self.cached(rows[0][:begin], packed=True), begin, packed=True
            )
        )
        if packed is None or after is None:
            return False
        return self._same(packed[1, : len(neighbour)], expected[-1, : len(neighbour)]) and all(
            self._same(packed[0, line[begin:]], expected[number, begin : len(line)])
            and self._same(after[0, tail], expected[number, begin : len(line)])
            for number, (line, tail) in enumerate(zip(lines[0].places, tails.places, strict=True))
        )

    def _shares(self, rows: list[Row], expected: Tensor) -> bool:
        """Whether rows that go on from one row's repeated keys and values have their states."""
        begin = len(BEGIN)
        tails = [lay_out([row[begin:]]) for row in rows]
        after = _tried(lambda: self.states(tails, self.cached(rows[0][:begin]), begin))
        return after is not None and all(
            self._same(after[number, : len(line.ids)], expected[number, begin : len(rows[number])])
            for number, line in enumerate(tails)
        )

    def _same(self, found: Tensor, expected: Tensor) -> bool:
        found, expected = found.float(), expected.float()
        most = TOLERANCE.get(self.network.dtype, 1e-4) * expected.norm()
        return bool((found - expected).norm() <= most)


def _trial(reach: int | None) -> list[Row]:
    """The self-test's branches, in lexicographic order, and the neighbour.

    Together in a line they stay within the reach of local attention.
    """
    width = len(BRANCHES[0])
    many = len(BRANCHES) if reach is None else (reach - len(BEGIN) - 1) // width
    tails = BRANCHES[: max(1, many)]
    tails = [*tails, (*tails[-1][:-1], 29)]
    return [*((*BEGIN, *tail) for tail in tails), NEIGHBOUR]


def _tried(run: Callable[[], Tensor]) -> Tensor | None:
    """What run returns; None where the architecture refuses it."""
    try:
        with as_out_of_memory():
            return run()
    except torch.OutOfMemoryError:
        raise
    except Exception:  # architectures refuse what they do not know with errors of every kind
        return None


def _fork(cache: Any, rows: int) -> Any:
    """The same keys and values, for so many rows, in a cache that can grow on its own."""
    fork = copy.copy(cache)
    fork.layers = [copy.copy(layer) for layer in cache.layers]
    if rows > 1:
        fork.batch_repeat_interleave(rows)
    return fork


def shortened(cache: Any, tokens: int) -> Any:
    """The first `tokens` keys and values of a cache of one row."""
    short = _fork(cache, 1)
    for layer in short.layers:
        # A copy of the part, so that the rest is not held in memory.
        layer.keys = layer.keys[..., :tokens, :].clone()
        layer.values = layer.values[..., :tokens, :].clone()
    return short


def _reach(network: Any) -> int | None:
    """The smallest reach of any local attention, or side of a causal mask that a network stores."""
    config = network.config.get_text_config()
    known = [getattr(config, name, None) for name in WINDOWS]
    # GPT-Neo and GPT-J look up which places see each other in a buffer, by place in the line.
    known += [
        buffer.shape[-1]
        for buffer in network.buffers()
        if buffer.dim() == 4 and buffer.shape[-1] == buffer.shape[-2]
    ]
    return min((number for number in known if isinstance(number, int) and number), default=None)


def _border(network: Any) -> int | None:
    """Longest row that LongRoPE encodes with its short factors.

    A position beyond gives every row of its batch the long ones. Dynamic RoPE, too, follows the
    longest row, but only beyond the window.
    """
    config = network.config.get_text_config()
    given = getattr(config, "rope_parameters", None) or {}
    # One set of parameters, or one a kind of layer.
    borders = [
        one["original_max_position_embeddings"]
        for one in (given, *given.values())
        if isinstance(one, dict) and one.get("rope_type") == "longrope"
    ]
    return min(borders, default=None)


def _pair_cost(network: Any) -> float:
    """Multiplications of attention between two tokens, as a share of a token's with weights.

    Measured on a processor, masked attention multiplies at 0.8 to 1 of the rate of matrix products.
    """
    config = network.config.get_text_config()
    embeddings = {id(weight) for weight in network.get_input_embeddings().parameters()}
    weights = sum(
        parameter.numel()
        for parameter in network.base_model.parameters()
        if parameter.dim() > 1 and id(parameter) not in embeddings
    )
    layers, width = config.num_hidden_layers, config.hidden_size
    return float(2 * layers * width / max(1, weights))


def _slow_activations(network: Any) -> list[tuple[nn.Module, str, nn.Module]]:
    """(parent, name, module) of each activation that has a fused equal in torch.

    GELU by tanh, spelled out in eight steps, takes a fifth of a pass of GPT-2 on a processor.
    """
    return [
        (parent, name, child)
        for parent in network.modules()
        for name, child in parent.named_children()
        if type(child) in (NewGELUActivation, FastGELUActivation)
    ]


@contextmanager
def _fused(activations: list[tuple[nn.Module, str, nn.Module]]) -> Iterator[None]:
    """Put the fused activations in, for the time of a pass: the network is the caller's."""
    fused = nn.GELU(approximate="tanh")
    for parent, name, _ in activations:
        setattr(parent, name, fused)
    try:
        yield
    finally:
        for parent, name, module in activations:
            setattr(parent, name, module)
