"""Tests that hold the shape of the house: imports, names, documentation, generated files."""
