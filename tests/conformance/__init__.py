"""Other autoscalers' documented behaviour as vectors, passed through Foresail's own code paths."""
