"""What implements the ports on real systems; adapters do not import each other."""
