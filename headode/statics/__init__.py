"""What attention can reach: Bayes-optimal attention, optimal risks, pruning."""
