"""What at least two services need today; knows no service."""
