"""Whether SGD in finite dimension follows the order-parameter ODE."""
