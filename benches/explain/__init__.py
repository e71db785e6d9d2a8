"""Explanations: what they cost, beside scores and beside TreeSHAP, and how near they are to many more midpoints."""
