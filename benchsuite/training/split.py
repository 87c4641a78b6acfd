"""A stack of blocks run in two parts, so that what lies below a block is computed once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from benchsuite.errors import NotApplicable
from benchsuite.training.backbone import block_list

Run = Callable[[], Tensor]
"""Runs a stack on a batch, and whatever follows it."""


class SplitStack:
    """A stack and the number of the block at which it is parted, 0 the lowest.

    The blocks below are passed over, not taken out of their list: some architectures look up by a
    block's place what it is given (the masks of Gemma 2 and Qwen2). T5's first block makes the
    position biases of all blocks; it makes them when it is passed over, too.
    Raises NotApplicable where biases are shared in another way (LongT5).
    """

    def __init__(self, stack: nn.Module, at: int) -> None:
        blocks = block_list(stack)[1]
        self._first = blocks[at]
        self._passing = [(block, self._passing_forward(block)) for block in blocks[:at]]
        self._beside = 0  # what a block gives beside states

    def below(self, run: Run) -> Tensor:
        """States (rows, positions, width) that enter the block; the pass ends there."""

        def look(block: nn.Module, given: Any, output: Any) -> None:
            del block, given
            self._beside = len(output) - 1 if isinstance(output, tuple) else 0

        def stop(block: nn.Module, given: Any, named: dict[str, Any]) -> None:
            del block
            raise _Reached(given[0] if given else named["hidden_states"])

        hooks = [block.register_forward_hook(look) for block, _ in self._passing[:1]]
        hooks.append(self._first.register_forward_pre_hook(stop, with_kwargs=True))
        return _caught(run, hooks)

    def above(self, run: Run, states: Tensor) -> Tensor:
        """What `run` gives where `states` enter the block; the blocks below are not run.

        `below` must have been run before.
        """

        def enter(block: nn.Module, given: Any, named: dict[str, Any]) -> Any:
            del block
            hook.remove()  # a shared block is run several times (ALBERT)
            return (
                ((states, *given[1:]), named) if given else ((), {**named, "hidden_states": states})
            )

        hook = self._first.register_forward_pre_hook(enter, with_kwargs=True)
        try:
            with self._passed_over():
                return run()
        finally:
            hook.remove()

    @contextmanager
    def _passed_over(self) -> Iterator[None]:
        for block, forward in self._passing:
            block.forward = forward
        try:
            yield
        finally:
            for block, _ in self._passing:
                del block.forward  # the class's own is there again

    def _passing_forward(self, block: Any) -> Callable[..., Any]:
        """A forward for a block that is passed over: states come out as they went in."""
        signature = inspect.signature(block.forward)
        makers = [
            one for one in block.modules() if getattr(one, "has_relative_attention_bias", False)
        ]
        if any("query_length" not in inspect.signature(m.compute_bias).parameters for m in makers):
            raise NotApplicable(
                f"{type(block).__name__} makes its position biases in a way of its own", "no blocks"
            )

        def forward(*given: Any, **named: Any) -> Any:
            arguments = signature.bind(*given, **named).arguments
            states, bias = arguments["hidden_states"], arguments.get("position_bias")
            if makers:
                length = states.shape[1]
                bias = makers[0].compute_bias(length, length, device=states.device)
            return (states, bias, None)[: 1 + self._beside] if self._beside else states

        return forward


def last_states(stack: nn.Module, run: Run) -> Tensor:
    """States that a stack gives; the pass ends there."""

    def stop(module: nn.Module, given: Any, output: Any) -> None:
        del module, given
        raise _Reached(output.last_hidden_state)

    return _caught(run, [stack.register_forward_hook(stop)])


def modules_after_blocks(stack: nn.Module, run: Run) -> list[nn.Module]:
    """Modules that a stack runs after its last block and that have weights: its final norm."""
    met: dict[nn.Module, bool] = {}
    after = False

    def meet(module: nn.Module, given: Any) -> None:
        del given
        met.setdefault(module, after)

    def pass_by(module: nn.Module, given: Any, output: Any) -> None:
        nonlocal after
        del module, given, output
        after = True

    hooks = [module.register_forward_pre_hook(meet) for module in stack.modules()]
    hooks.append(block_list(stack)[1][-1].register_forward_hook(pass_by))
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return [module for module, late in met.items() if late and list(module.parameters(False))]


class _Reached(Exception):
    """Ends a pass whose rest nobody needs."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states


def _caught(run: Run, hooks: list[Any]) -> Tensor:
    """The states with which one of the hooks ends the pass."""
    try:
        run()
    except _Reached as reached:
        return reached.states
    finally:
        for hook in hooks:
            hook.remove()
    raise AssertionError("the pass did not come to its end")
