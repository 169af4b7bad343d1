"""Connections to the outside: sessions with TLS and credentials, without domain types."""
