"""A table of what is measured with a row for each set, for the command lines here that compare fits of one set."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from benches.common.datasets import Split, add_arguments, asked_paths, load_split


def measure_sets(
    prog: str,
    description: str | None,
    names: list[str],
    measured: Callable[[Split, int], list[float]],
    title: str = "AUC-PR",
    width: int = 9,
) -> np.ndarray:
    """Read the command line, and print what is measured on each set, the mean over its seeds: `[sets, names]`.

    `measured` gives the number of each name, of a split and its seed. Columns have the `width`, under the `title`.
    """
    parser = argparse.ArgumentParser(prog=prog, description=description)
    add_arguments(parser)
    options = parser.parse_args()
    print(f"{title:26}" + "".join(f"{name:>{width}}" for name in names))
    rows = []
    for path in asked_paths(options):
        splits = [load_split(path, seed) for seed in range(options.seeds)]
        rows.append(np.mean([measured(split, seed) for seed, split in enumerate(splits)], axis=0))
        print(f"{path.stem:26}" + "".join(f"{value:{width}.3f}" for value in rows[-1]), flush=True)
    return np.array(rows)
