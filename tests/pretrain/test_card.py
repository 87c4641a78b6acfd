"""The card's figures against numbers worked out by hand."""

import json
from pathlib import Path

from benchsuite.pretrain.card import thin_out, training_flops, write_card

META = {
    "tokens": 10_000_000,
    "steps": 2500,
    "seen_in_pretraining": ["race"],
    "parameters": {"total": 7_000_000, "embedding": 2_000_000, "non_embedding": 5_000_000},
    "hours": 1.25,
    "hardware": "A processor, 2 threads, torch 2",
    "recipe": {
        "name": "toy",
        "architecture": {"layers": 6, "hidden_size": 100, "heads": 4, "positions": 1000},
        "batch_tokens": 4000,
        "lengths": [{"length": 256, "share": 0.9}, {"length": 1000, "share": 0.1}],
        "optimizer": {"name": "muon", "lr": 0.02, "adamw_lr": 0.003, "weight_decay": 0.1},
        "schedule": {"warmup": 0.02, "floor": 0.02},
        "clip": 1.0,
        "budget": {"tokens": None, "minutes": 75.0},
        "precision": "bfloat16",
        "corpus": {"licences": ["CC BY 2.5", "research only"]},
    },
}
SHARDS = {
    "train_tokens": 20_000_000,
    "validation_tokens": 0,
    "decontaminated": True,
    "sources": {
        "news": {
            "train_tokens": 20_000_000,
            "validation_tokens": 1000,
            "words": 15_000_000,
            "contaminated_words": 15_000,
            "paragraphs": 1000,
            "contaminated_paragraphs": 5,
        }
    },
}


def test_flops_count_the_weights_that_multiply() -> None:
    assert training_flops(META) == 6 * (7_000_000 - 100 * 1000) * 10_000_000


def test_thinning_keeps_validation_losses_and_order() -> None:
    entries = [{"step": i, "loss": 1.0} for i in range(1, 101)]
    entries[36]["validation_loss"] = 2.0
    kept = thin_out(entries, lines=10)
    assert [entry["step"] for entry in kept] == [1, 11, 21, 31, 37, 41, 51, 61, 71, 81, 91]
    assert thin_out(entries, lines=100) == entries
    assert thin_out([]) == []


def test_card_states_its_figures(tmp_path: Path) -> None:
    (tmp_path / "benchsuite.json").write_text(json.dumps(META))
    (tmp_path / "shards.json").write_text(json.dumps(SHARDS))
    log = tmp_path / "log.jsonl"
    entries: list[dict] = [
        {"step": i, "tokens": 4000 * i, "loss": 9.0 - i / 500} for i in range(1, 2501)
    ]
    entries[1249]["validation_loss"] = 6.789
    entries.append({"step": 2500, "validation_loss_256": 4.321, "validation_loss_1000": 4.567})
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    write_card(tmp_path, log, tmp_path)
    card = (tmp_path / "README.md").read_text()
    for expected in (
        "10,000,000 in 2,500 steps of 4,000",
        "4.14e+14",
        "1.25 h, 2,222 tokens/s",
        "4.321 nats a token at length 256, 4.567 nats a token at length 1000",
        "| news | 20,000,000 | 1,000 | 15,000,000 | 0.500% | 0.100% |",
        "(50%; about 7,492,500 words)",
        "training split of `race`",
        "CC BY 2.5; research only",
        "| 1250 | 5,000,000 | 6.789 |",
        "| 1 | 4,000 | 8.998 |",
        "75 minutes",
    ):
        assert expected in card
    assert len((tmp_path / "training_log.jsonl").read_text().splitlines()) <= 1002
