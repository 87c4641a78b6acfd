"""Log-likelihoods of whole texts, longer than a window too, as lm-eval rolls its windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from benchsuite.scoring.plan import batches

if TYPE_CHECKING:
    from benchsuite.models.registry import Model
    from benchsuite.scoring import Usage

LOGITS_AT_ONCE = 2**26
"""Entries of the largest tensor of logits held at once."""


@torch.inference_mode()
def rolling_log_likelihoods(
    model: Model, texts: list[str], batch_tokens: int, usage: Usage
) -> list[float]:
    """The log-likelihood (nats) of each text under a decoder; 0 for an empty one.

    Every token is predicted once, the first from the token that begins a text. A text beyond the
    window is cut into windows that overlap in one token, the last one reaching back as far as it
    can. batch_tokens: of a batch, padding counted. usage: told the tokens that were fed.
    """
    tokenizer: Any = model.tokenizer
    starts = (tokenizer.bos_token_id, tokenizer.eos_token_id)
    prefix = next(token for token in starts if token is not None)
    windows: list[tuple[int, list[int], int]] = []
    for number, text in enumerate(texts):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        for window in get_rolling_token_windows(ids, prefix, model.max_length, context_len=1):
            before, scored = make_disjoint_window(window)
            windows.append((number, before + scored, len(scored)))
    totals = [0.0] * len(texts)
    network: Any = model.network
    budget = min(batch_tokens, LOGITS_AT_ONCE // network.config.vocab_size)
    for batch in batches([len(ids) - 1 for _, ids, _ in windows], budget):
        rows = [windows[place] for place in batch]
        length = max(len(ids) for _, ids, _ in rows) - 1
        fed = torch.tensor([ids[:-1] + [0] * (length + 1 - len(ids)) for _, ids, _ in rows])
        mask = torch.tensor(
            [[1] * (len(ids) - 1) + [0] * (length + 1 - len(ids)) for _, ids, _ in rows]
        )
        logits = network(
            input_ids=fed.to(model.device), attention_mask=mask.to(model.device), use_cache=False
        ).logits
        for (number, ids, count), line in zip(rows, logits, strict=True):
            states = line[len(ids) - 1 - count : len(ids) - 1].float()
            wanted = torch.tensor(ids[-count:], device=states.device)
            values = states.gather(1, wanted[:, None])[:, 0] - states.logsumexp(1)
            totals[number] += float(values.double().sum())
        usage.tokens += sum(len(ids) - 1 for _, ids, _ in rows)
    return totals
