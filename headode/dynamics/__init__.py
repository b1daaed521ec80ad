"""The order-parameter ODE: right-hand side and integration."""
