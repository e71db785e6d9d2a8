"""Contract: members share the table's rows, so that more members take no more memory for them."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource, sys
import numpy as np, polars as pl
import polars_anorand as anorand

rng = np.random.default_rng(0)
rows = pl.DataFrame(rng.normal(size=(150_000, 20)), schema=[f"f{at}" for at in range(20)])
labels = pl.Series(rng.random(150_000) < 0.01)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows.select(anorand.fit(pl.all(), labels=labels, members=int(sys.argv[1]), min_steps=0, batch_size=4_096))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def peak(members: int) -> int:
    """What a labelled fit adds to a process's memory at most, in bytes."""
    run = subprocess.run([sys.executable, "-c", PROGRAM, str(members)], capture_output=True, text=True, check=True)
    return 1024 * int(run.stdout)


def test_members_share_the_rows_of_a_labelled_fit() -> None:
    # A copy of the scaled rows is 12 MB: ten more members would take ten of these.
    assert peak(12) - peak(2) < 4 * 150_000 * 20 * 4
