"""Fixed points of the dynamics, and when the heads leave them."""
