"""The hub: identity and rosters; one account per person, many publishers."""
