"""`foresail policy import`: policies in shadow from autoscalers, and what of these has no counterpart."""
