"""Gaussian expectations of the risk and of the expected updates."""
