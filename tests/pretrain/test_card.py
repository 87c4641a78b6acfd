"""The card's figures against numbers worked out by hand."""

import json
from pathlib import Path

import pytest

from benchsuite.pretrain import equality
from benchsuite.pretrain.card import thin_out, write_card

META = {
    "family": "decoder",
    "objective": "causal_lm",
    "objective_description": "causal LM: the next token, packed sequences",
    "loss_positions_per_token": 1.0,
    "flops_per_token": 41.4e6,
    "decontaminated": True,
    "tokens": 10_000_000,
    "distinct_tokens": 8_000_000,
    "shards": "0123456789abcdef",
    "tokenizer": {"kind": "wordpiece", "vocab_size": 8000},
    "sources": {"news": 20_000_000},
    "steps": 2500,
    "seen_in_pretraining": ["race"],
    "parameters": {"total": 7_000_000, "embedding": 2_000_000, "non_embedding": 5_000_000},
    "hours": 1.25,
    "hardware": "A processor, 2 threads, torch 2",
    "recipe": {
        "name": "toy",
        "architecture": {
            "type": "gpt2",
            "layers": 6,
            "hidden_size": 100,
            "heads": 4,
            "positions": 1000,
            "feed_forward": None,
        },
        "tokenizer": {"vocab_size": 8192},
        "batch_tokens": 4000,
        "lengths": [{"length": 256, "share": 0.9}, {"length": 1000, "share": 0.1}],
        "optimizer": {"name": "muon", "lr": 0.02, "adamw_lr": 0.003, "weight_decay": 0.1},
        "schedule": {"shape": "cosine", "warmup": 0.02, "decay": None, "floor": 0.02},
        "clip": 1.0,
        "budget": {"tokens": None, "minutes": 75.0},
        "precision": "bfloat16",
        "corpus": {
            "licences": ["CC BY 2.5", "research only"],
            "mix": {"news": 0.75, "books": 0.25},
        },
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
            "contaminated_by": {"glue/rte": 3000, "blimp": 12_000},
        }
    },
}


META["texts"] = [
    {
        "shards": META["shards"],
        "tokens": META["tokens"],
        "distinct_tokens": META["distinct_tokens"],
        "phases": [
            {"length": 256, "shifted": False, "rows": 34_375, "tokens": 8_800_000},
            {"length": 1000, "shifted": False, "rows": 1200, "tokens": 1_200_000},
        ],
        "corpus": SHARDS,
    }
]


def test_thinning_keeps_validation_losses_and_order() -> None:
    entries = [{"step": i, "loss": 1.0} for i in range(1, 101)]
    entries[36]["validation_loss"] = 2.0
    kept = thin_out(entries, lines=10)
    assert [entry["step"] for entry in kept] == [1, 11, 21, 31, 37, 41, 51, 61, 71, 81, 91]
    assert thin_out(entries, lines=100) == entries
    assert thin_out([]) == []


def write(folder: Path, meta: dict) -> str:
    """The card of a run with this metadata, 2,500 steps long."""
    folder.mkdir(exist_ok=True)
    (folder / "benchsuite.json").write_text(json.dumps(meta))
    log = folder / "log.jsonl"
    entries: list[dict] = [
        {"step": i, "tokens": 4000 * i, "loss": 9.0 - i / 500} for i in range(1, 2501)
    ]
    entries[1249]["validation_loss"] = 6.789
    entries.append({"step": 2500, "validation_loss_256": 4.321, "validation_loss_1000": 4.567})
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    write_card(folder, log)
    return (folder / "README.md").read_text()


def test_card_states_its_figures(tmp_path: Path) -> None:
    card = write(tmp_path, META)
    for expected in (
        "GPT-2: 6 layers, width 100, inner width 400, 4 heads, rows of at most 1000",
        "10,000,000 raw tokens of text in 2,500 steps of 4,000 positions",
        "| loss positions | 1.000 a raw token |",
        "4.14e+14: 41.4 million a raw token",
        "1.25 h, 2,222 tokens/s",
        "4.321 nats a target at length 256, 4.567 nats a target at length 1000",
        "| news | 20,000,000 | 1,000 | 15,000,000 | 0.500% | 0.100% |",
        "read 8,000,000 (40%) at least once, and 10,000,000 in all (about 7,492,500 words)",
        "| sequence lengths | 256 (88%), then 1000 (12%) of the tokens |",
        "| blimp | 12,000 | 0.0800% |\n| glue/rte | 3,000 | 0.0200% |",
        "training split of `race`",
        "CC BY 2.5; research only",
        "| 1250 | 5,000,000 | 6.789 |",
        "| 1 | 4,000 | 8.998 |",
        "75 minutes",
    ):
        assert expected in card
    assert len((tmp_path / "training_log.jsonl").read_text().splitlines()) <= 502


def test_a_card_tells_of_each_text_that_was_read(tmp_path: Path) -> None:
    recipe = META["recipe"]
    corpus = recipe["corpus"] | {"licences": ["public domain", "research only"]}
    first = META["texts"][0] | {
        "recipe": recipe | {"corpus": corpus, "budget": {"tokens": 9_000_000, "minutes": None}},
        "validation_losses": {"256": 3.333},
    }
    counts = {"train_tokens": 5_000_000, "validation_tokens": 0}
    poems = {"poems": SHARDS["sources"]["news"] | counts}
    second = first | {
        "shards": "fedcba9876543210",
        "tokens": 2_000_000,
        "distinct_tokens": 1_500_000,
        "phases": [
            {"length": 256, "shifted": True, "rows": 1, "tokens": 1_500_000},
            {"length": 256, "shifted": False, "rows": 1, "tokens": 500_000},
        ],
        "corpus": SHARDS | {"train_tokens": 5_000_000, "sources": poems},
    }
    card = write(tmp_path, META | {"tokens": 12_000_000, "texts": [first, second]})
    places = [
        card.index(expected)
        for expected in (
            "| sequence lengths | 256 (73%), then 1000 (10%), then 256 (12%, at shifted positions)"
            ", then 256 (4%) of the tokens |",
            "; after 9,000,000 tokens as if the budget had always been 75 minutes |\n"
            "| budget | 9,000,000 tokens, then 75 minutes |",
            "| validation loss, text 1 | 3.333 nats a target at length 256 |",
            "| validation loss, text 2 | 4.321 nats a target at length 256, 4.567",
            "10,000,000 tokens of text 1.",
            "| news | 20,000,000 |",
            "read 8,000,000 (40%) at least once, and 10,000,000 in all",
            "Then, with rates fitted to the larger budget: 2,000,000 tokens of text 2.",
            "| poems | 5,000,000 |",
            "read 1,500,000 (30%) at least once, and 2,000,000 in all",
            "No document of poems is held out: no validation loss is of them.",
            "In all about 13,486,500 words. What the texts have in common counts in each",
            "public domain; research only; CC BY 2.5.",
            "After 10,000,000 tokens all losses are of text 2, validation's too.",
        )
    ]
    assert places == sorted(places)
    assert "of text 1" not in write(tmp_path, META)


def test_a_thinned_log_keeps_counts_whole_and_six_digits_of_figures() -> None:
    [kept] = thin_out([{"step": 12345678, "loss": 4.519559681415558, "lr": 0.0010360054347826088}])
    assert kept == {"step": 12345678, "loss": 4.51956, "lr": 0.00103601}


def test_card_compares_with_the_bundled_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = META | {
        "objective": "span_corruption",
        "texts": [META["texts"][0] | {"shards": "99"}],
        "loss_positions_per_token": 0.2041,
        "flops_per_token": 18.26e6,
        "parameters": {"total": 6_800_000, "embedding": 2_000_000, "non_embedding": 4_800_000},
    }
    recipe = META["recipe"]
    peer["recipe"] = recipe | {"architecture": recipe["architecture"] | {"type": "t5"}}
    bundled = tmp_path / "models" / "t5"
    bundled.mkdir(parents=True)
    (bundled / "benchsuite.json").write_text(json.dumps(peer))
    monkeypatch.setattr(equality, "baselines_root", lambda: tmp_path)
    card = write(tmp_path / "toy", META)
    assert card.index("## What is equal and what is not") < card.index("## Training")
    for expected in (
        "| | t5 | toy | |",
        # of the shards, not of what the recipe asks for
        "| text | news 100%; decontaminated: yes | news 100%; decontaminated: yes | equal |",
        "| hash of tokens and tokenizer | 99 | 0123456789ab | differs |",
        "| tokenizer | WordPiece, 8,000 | WordPiece, 8,000 | equal |",
        "| raw tokens read (T) | 10,000,000 | 10,000,000 | equal |",
        "| loss positions a raw token | 0.204 | 1.000 | differs |",
        "| training FLOPs a raw token | 18.3 M | 41.4 M | differs |",
        "| parameters outside tables | 4,800,000 | 5,000,000 | within 4.2% |",
        "| optimizer, peak rates | muon 0.02, AdamW 0.003, relative biases tenfold "
        "| muon 0.02, AdamW 0.003 | differs |",
    ):
        assert expected in card


def test_card_of_each_family_says_how_to_use_it(tmp_path: Path) -> None:
    for family, kind, tag, use in (
        ("decoder", "gpt2", "text-generation", "No token is added by itself"),
        ("encoder", "bert", "fill-mask", "adds `[CLS]` and `[SEP]`"),
        ("encoder-decoder", "t5", "text2text-generation", "starts with `[PAD]`"),
    ):
        recipe = META["recipe"]
        recipe = recipe | {"architecture": recipe["architecture"] | {"type": kind}}
        card = write(tmp_path / kind, META | {"family": family, "recipe": recipe})
        assert f"pipeline_tag: {tag}" in card and use in card
    assert "6 + 6 layers" in card
