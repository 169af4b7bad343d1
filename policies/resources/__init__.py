"""Vertical sizing: what each container should request, from what it was seen to use."""
