"""Compiled quasi-Monte-Carlo kernels: committed ones, and those of registered activations."""
