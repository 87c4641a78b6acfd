"""Figures that test what textbooks say of adapting pretrained models, from records alone."""
