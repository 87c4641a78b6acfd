"""Tests of benchsuite/training."""
