"""The three services of the chain, and the command that runs them."""
