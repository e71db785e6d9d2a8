"""Contract: a fit's memory is a few times that of its rows, and more members take no more memory for them."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource, sys
import numpy as np, polars as pl
import polars_anorand as anorand

count, features = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
rows = pl.DataFrame(rng.normal(size=(count, features)), schema=[f"f{at}" for at in range(features)])
labels = pl.Series(rng.random(count) < 0.01)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
options = eval(sys.argv[4])
rows.select(anorand.fit(pl.all(), labels=labels if sys.argv[3] == "labelled" else None, **options))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def peak(rows: int, features: int, labels: str, options: dict[str, object]) -> int:
    """What a fit adds to a process's memory at most, in bytes."""
    arguments = [str(rows), str(features), labels, repr(options)]
    run = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    return 1024 * int(run.stdout)


def test_members_share_the_rows_of_a_labelled_fit() -> None:
    of_members = {
        members: peak(150_000, 20, "labelled", {"members": members, "min_steps": 0, "batch_size": 4_096})
        for members in (2, 12)
    }
    # A copy of the scaled rows is 12 MB: ten more members would take ten of these.
    assert of_members[12] - of_members[2] < 4 * 150_000 * 20 * 4


def test_smote_takes_no_more_memory_than_the_rows() -> None:
    # A list of the distances from each of 8,000 rows to the others would take 1 GB.
    assert peak(400_000, 10, "none", {"preset": "paper", "epochs": 1}) < 8 * 400_000 * 10 * 8
