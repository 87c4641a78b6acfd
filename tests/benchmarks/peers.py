"""What users of other tools run for the same scores: the slow side of the comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM

from benchsuite.models.registry import Model

# Masked copies of a sentence that go through the network at once, as the BabyLM pipeline has it.
COPIES = 32


def harness(model: Model, batch_size: int) -> HFLM:
    """lm-eval's own engine over the same network and tokenizer."""
    return HFLM(
        pretrained=model.network,
        tokenizer=model.tokenizer,
        backend="seq2seq" if model.family == "encoder-decoder" else "causal",
        batch_size=batch_size,
        device=model.device,
        max_length=model.max_length,
    )


def harness_scores(engine: HFLM, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """Log-likelihoods (nats) of (context, continuation) pairs."""
    instances = [SimpleNamespace(args=pair) for pair in pairs]
    return [total for total, _ in engine.loglikelihood(instances, disable_tqdm=True)]


@torch.inference_mode()
def one_sentence_at_a_time(model: Model, sentences: Sequence[str]) -> list[float]:
    """Pseudo-log-likelihoods (Salazar et al. 2020), nats: every token masked in its own copy.

    A sentence at a time, its copies in batches of 32, logits of every position.
    """
    network: Any = model.network
    tokenizer: Any = model.tokenizer
    totals = []
    for sentence in sentences:
        encoded = tokenizer(sentence, return_tensors="pt", return_special_tokens_mask=True)
        ids = encoded["input_ids"][0]
        places = torch.nonzero(encoded["special_tokens_mask"][0] == 0)[:, 0]
        copies = ids.repeat(len(places), 1)
        copies[torch.arange(len(places)), places] = tokenizer.mask_token_id
        total = 0.0
        for start in range(0, len(places), COPIES):
            here = places[start : start + COPIES]
            logits = network(input_ids=copies[start : start + COPIES].to(model.device)).logits
            values = logits.float().log_softmax(-1)[torch.arange(len(here)), here, ids[here]]
            total += float(values.double().sum())
        totals.append(total)
    return totals
