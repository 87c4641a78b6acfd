"""Pretraining: corpus, tokenizer, shards, recipe, training loop, export."""
