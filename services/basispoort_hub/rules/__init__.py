"""What the hub decides: pure functions on frozen values."""
