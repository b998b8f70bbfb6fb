"""The money rules: pure, exact, standard library only. No await, clock, database or float."""
