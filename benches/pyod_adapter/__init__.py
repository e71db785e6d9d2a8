"""AnoRand as a detector of PyOD, and what PyOD expects of one."""
