"""What `make bench` measures: ratios to a raw floor in the same run, and the page with the figures."""
