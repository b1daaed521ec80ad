"""Token factorization: a race of exponential clocks, not a sum over tokens (theory: tokens)."""
