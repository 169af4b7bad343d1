"""Reads GPUs through NVML, in a child process that a hung driver cannot reach beyond."""
