"""Command line: `python -m benches.paper EXPERIMENT [--out FOLDER] [...]`, from the repository's root."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import figure3, figure4, figure5, figure7, table1, table2

EXPERIMENTS = {
    "figure3": figure3,
    "figure4": figure4,
    "figure5": figure5,
    "figure7": figure7,
    "table1": table1,
    "table2": table2,
}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Which experiment, how much of it, and where results go."""
    parser = argparse.ArgumentParser(prog="benches.paper", description="The paper's experiments.")
    experiments = parser.add_subparsers(dest="experiment", required=True)
    for name, module in EXPERIMENTS.items():
        experiment = experiments.add_parser(name, help=(module.__doc__ or "").splitlines()[0])
        experiment.add_argument("--out", type=Path, default=Path("target/paper"), help="where pictures and numbers go")
        module.add_arguments(experiment)
    return parser.parse_args(arguments)


def main() -> None:
    """Run one experiment."""
    options = parse_arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    EXPERIMENTS[options.experiment].run(options)


if __name__ == "__main__":
    main()
