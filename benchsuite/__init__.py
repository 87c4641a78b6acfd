"""benchsuite: which pretrained architecture, adapted how, is worth its cost on this task?"""

__version__ = "0.1.0"
