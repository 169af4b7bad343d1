"""The demo: simulated model servers, a real Prometheus, the real daemon, and a live table of what it does."""
