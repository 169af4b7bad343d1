"""What a replica can serve, read from history: the latency curve, the serving limit of an objective, and saturation."""
