"""EDUscope, the school administration: where all data is born."""
