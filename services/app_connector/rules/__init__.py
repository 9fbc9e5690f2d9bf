"""Decisions of the portal: pure functions on frozen values."""
