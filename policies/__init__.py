"""The decision core: pure functions on arrays with one entry per lane, free of clock, input, output and logging."""
