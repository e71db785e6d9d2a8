"""What several benches use: labelled sets, detectors, how they are measured, and what is in a model."""
