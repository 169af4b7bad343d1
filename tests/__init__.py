"""Tests of Foresail; the folders mirror the product's."""
