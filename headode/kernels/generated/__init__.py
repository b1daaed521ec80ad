"""Emitted by ``python derivations/regenerate.py``; do not edit."""
