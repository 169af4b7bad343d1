"""Real servers that tests start on loopback and stop again, each in a folder of its own."""
