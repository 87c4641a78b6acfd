"""Training on a task: rows, heads, the loop and decoding that all trained regimes share."""
