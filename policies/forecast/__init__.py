"""Models of what the load will be one start-up ahead."""
