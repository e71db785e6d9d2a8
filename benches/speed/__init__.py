"""How fast fitting and scoring are, against the machine's limit and against what users would pick instead."""
