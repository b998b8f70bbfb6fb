"""How fast it is, measured against LNbits' own transfers and against the bare databases."""
