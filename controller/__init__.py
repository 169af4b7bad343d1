"""The program that talks to the world on a clock: it observes, has the policies decide, acts and records."""
