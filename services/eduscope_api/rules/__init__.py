"""Decisions of the administration: pure functions on frozen values."""
