"""GPUs in decisions: which are allocated and idle, how full the fleet is, what fragmentation costs; in arrays, pure."""
