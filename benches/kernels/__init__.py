"""Instructions that scoring, fitting and explaining take: a count that does not depend on how busy the machine is."""
