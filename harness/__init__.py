"""Chaos and reliability tests that tell the truth."""

__version__ = "0.1.0"
