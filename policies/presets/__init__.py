"""Presets of signals: what model servers, meshes and exporters export, as queries in base units."""
