"""Finite-d SGD: the ground truth that the theory is compared with.

Nothing here uses the expectations, the kernels or the symbolic layer: an oracle is independent.
"""
