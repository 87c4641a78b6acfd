"""Computing a network's logits at some places of its input only.

A masked copy of a text is wanted at one or a few places. After the last attention every operation
of a Transformer looks at one place at a time, so from there on, and in the head with its wide
vocabulary above all, the other places need not be computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn


class Gathered:
    """Logits at chosen places, with no more computed elsewhere than attention needs.

    Where the places can be picked out is found by trying: the first module of the last block after
    which the picked states lead to the very logits of the full pass; else the border between base
    model and head; else (point is None) the logits themselves.
    """

    def __init__(self, network: Any, inputs: dict[str, Tensor]) -> None:
        """inputs: to try it with; two rows of different lengths, of four tokens or more."""
        self.network = network
        self.point: nn.Module | None = None
        lines, positions = torch.tensor([1, 0, 0]), torch.tensor([0, 2, 1])
        whole = self(inputs, lines, positions)
        for point in _points(network):
            self.point = point
            try:
                picked = self(inputs, lines, positions)
            except (RuntimeError, TypeError, ValueError, IndexError, AttributeError):
                continue
            if close(picked, whole):
                return
        self.point = None

    @torch.inference_mode()
    def __call__(self, inputs: dict[str, Tensor], lines: Tensor, positions: Tensor) -> Tensor:
        """Logits (places, vocabulary) at places (line, position) of inputs (lines, longest)."""
        if self.point is None:
            return self.network(**inputs).logits[lines, positions]
        shape = inputs["input_ids"].shape

        def pick(value: Any) -> Any:
            if isinstance(value, Tensor) and value.ndim == 3 and value.shape[:2] == shape:
                return value[lines, positions][None]
            return value

        def before(module: Any, arguments: Any, named: Any) -> Any:
            return tuple(map(pick, arguments)), {name: pick(one) for name, one in named.items()}

        def after(module: Any, arguments: Any, output: Any) -> Any:
            output.last_hidden_state = pick(output.last_hidden_state)
            return output

        if self.point is self.network.base_model:
            hook = self.point.register_forward_hook(after)
        else:
            hook = self.point.register_forward_pre_hook(before, with_kwargs=True)
        try:
            return self.network(**inputs).logits[0]
        finally:
            hook.remove()


def close(left: Tensor, right: Tensor) -> bool:
    """Whether logits are the same but for rounding."""
    tolerance = 1e-5 if left.dtype == torch.float32 else 0.02
    return left.shape == right.shape and torch.allclose(left, right, rtol=tolerance, atol=tolerance)


def _points(network: Any) -> Iterator[nn.Module]:
    """Modules to try, those that save most first."""
    base = network.base_model
    stacks = [one for one in base.modules() if isinstance(one, nn.ModuleList) and len(one)]
    if stacks:
        deepest = max(stacks, key=lambda stack: sum(one.numel() for one in stack.parameters()))
        yield from list(deepest[-1].modules())[1:]
    yield base
