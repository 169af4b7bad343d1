"""Vertical recommendations, live: what containers use, and what is written on autoscalers that name Foresail."""
