"""A pretrained network from token ids to the states that a head reads."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchsuite.errors import CellFailed, NotApplicable
from benchsuite.training.batches import Batch

IGNORED = -100  # torch's own mark of what is no target
ENCODER_KINDS = ("tagging", "span")
"""Kinds for which an encoder-decoder's encoder is used alone: each token needs a state."""


class Backbone(nn.Module):
    """The part of a network that a task uses.

    body: an encoder, a decoder, or an encoder-decoder's encoder; peft may wrap it. decoder: of an
    encoder-decoder, where the head reads its first state. Both are modules of transformers.
    text: whether an encoder-decoder writes its answers; then its output layer belongs to it.
    """

    def __init__(self, network: Any, family: str, kind: str, text: bool = False) -> None:
        super().__init__()
        self.family = family
        self.text = text
        self.body: Any
        self.decoder: Any = None
        if family == "encoder-decoder":
            self.body = network.get_encoder()
            if text or kind not in ENCODER_KINDS:
                self.decoder = network.get_decoder()
                start = network.config.decoder_start_token_id
                self.start = network.config.pad_token_id if start is None else start
        else:
            self.body = network.base_model
        self.width: int = network.config.hidden_size
        self.scale = 1.0
        if family == "encoder-decoder":
            self.scale = _unit_scale(self.body if self.decoder is None else self.decoder)
        # In tuples, so that they are no modules of this one: where the output layer is not tied to
        # the embeddings it is none of the weights that a task with a head uses.
        self._to_vocabulary = (network.get_output_embeddings(),)
        self._network = (network,)
        self.output = network.get_output_embeddings() if text else None

    @property
    def network(self) -> Any:
        """The whole network, with its language-model head."""
        return self._network[0]

    def forward(self, batch: Batch) -> Tensor:
        """States (rows, positions, width): of every token, or of the decoder's first position.

        Where answers are written, logits (texts, positions, vocabulary) of each next token.
        """
        given: dict[str, Any] = {} if batch.types is None else {"token_type_ids": batch.types}
        if self.family == "decoder":
            given["use_cache"] = False
        states = self.body(
            input_ids=batch.ids, attention_mask=batch.mask, **given
        ).last_hidden_state
        # Virtual tokens of prompt tuning stand before the text.
        extra = states.shape[1] - batch.ids.shape[1]
        return self.finish(states, batch, extra)

    def finish(self, states: Tensor, batch: Batch, extra: int = 0) -> Tensor:
        """From the body's last states to those the head reads.

        extra: virtual positions at the front.
        """
        if self.decoder is None:
            return self.scale * states[:, extra:]
        start = torch.full((len(states), 1), self.start, device=states.device)
        mask = functional.pad(batch.mask, (extra, 0), value=1)
        if self.text:
            rows = slice(None) if batch.writes is None else batch.writes
            # The whole network, for each has its own way from states to logits.
            logits: Tensor = self.network(
                encoder_outputs=(states[rows],),
                attention_mask=mask[rows],
                decoder_input_ids=start if batch.writing is None else batch.writing,
                use_cache=False,
            ).logits
            return logits
        found: Tensor = self.decoder(
            input_ids=start,
            encoder_hidden_states=states,
            encoder_attention_mask=mask,
            use_cache=False,
        ).last_hidden_state
        return self.scale * found

    def language_loss(self, states: Tensor, batch: Batch) -> Tensor:
        """Sum of the cross-entropies of each next token of a decoder's rows, in nats."""
        logits = self._to_vocabulary[0](states[:, :-1])
        targets = batch.ids[:, 1:].masked_fill(batch.mask[:, 1:] == 0, IGNORED)
        return functional.cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), reduction="sum"
        )

    def stacks(self) -> list[nn.Module]:
        """Body and, where there is one, decoder."""
        return [self.body] if self.decoder is None else [self.body, self.decoder]

    def blocks(self) -> list[nn.Module]:
        """All blocks from the lowest to the highest, an encoder's before its decoder's."""
        return [block for stack in self.stacks() for block in block_list(stack)[1]]


def _unit_scale(stack: nn.Module) -> float:
    """What makes the states of a T5 stack as large as other families', about 1 a component.

    T5's last norm can have any size, for its own output layer divides by the width's square root;
    a head's learning rate fits states of one size.
    """
    norm = getattr(stack, "final_layer_norm", None)
    return 1.0 if norm is None else 1 / float(norm.weight.detach().square().mean().sqrt())


def block_list(stack: nn.Module) -> tuple[str, nn.ModuleList]:
    """A stack's blocks, and the name of their list in it.

    Raises NotApplicable where the architecture keeps them in another way (ALBERT's shared block).
    """
    for name, module in stack.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) > 0:
            return name, module
    raise NotApplicable(f"{type(stack).__name__} has no list of blocks", "no blocks")


def check_finite(states: Tensor) -> None:
    """Raise CellFailed where a state is NaN or infinite."""
    if not torch.isfinite(states).all():
        raise CellFailed("a hidden state of the model is not finite")
