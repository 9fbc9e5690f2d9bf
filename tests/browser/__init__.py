"""Tests in a real browser. A package, so that Playwright is stopped with the last of them."""
