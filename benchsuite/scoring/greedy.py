"""Greedy generation with transformers' own loop: what differs is where a text stops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import StoppingCriteria, StoppingCriteriaList

from benchsuite.scoring.padding import pad_rows
from benchsuite.scoring.plan import Row

if TYPE_CHECKING:
    from benchsuite.models.registry import Model


@torch.inference_mode()
def continue_greedily(
    model: Model,
    rows: Sequence[Row],
    pad: int,
    stop: list[str],
    max_new: int,
    given: Row = (),
    ends: Row = (),
) -> tuple[list[str], int]:
    """Greedy continuations of rows, padded to one batch, each cut before the first of `stop`.

    Returns them and how many new tokens each row was fed: those of the longest but the last.

    given: what the decoder of an encoder-decoder continues; rows are what its encoder reads.
    A row ends at a stop string in its new text, at the end of text or another of the tokens `ends`,
    or after max_new tokens.
    """
    network: Any = model.network
    tokenizer: Any = model.tokenizer
    # A decoder goes on from the end of its row.
    ids, mask = pad_rows(rows, pad, left=not given)
    first = len(given) or ids.shape[1]
    inputs: dict[str, Any] = {}
    if given:
        inputs["decoder_input_ids"] = torch.tensor([given] * len(rows)).to(model.device)
    if ends:
        end = network.generation_config.eos_token_id
        inputs["eos_token_id"] = [*ends, *([end] if isinstance(end, int) else end or [])]

    def decode(outputs: Tensor) -> list[str]:
        return tokenizer.batch_decode(
            [[token for token in row if token not in ends] for row in outputs[:, first:].tolist()],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )

    class Stopped(StoppingCriteria):
        """Ends a row as soon as its new text holds one of the stop strings."""

        def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
            ended = [any(one in text for one in stop) for text in decode(input_ids)]
            return torch.tensor(ended, device=input_ids.device)

    outputs = network.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        do_sample=False,
        max_new_tokens=max_new,
        pad_token_id=pad,
        stopping_criteria=StoppingCriteriaList([Stopped()]),
        **inputs,
    )
    texts = [
        text[: min([len(text), *(text.find(one) for one in stop if one in text)])]
        for text in decode(outputs)
    ]
    return texts, outputs.shape[1] - first - 1
