"""Command line: `python benches/kernels/__main__.py [--update]`, or `make bench-kernels`.

Counts the instructions of the built plugin under valgrind's callgrind, per repetition of each workload: a run of
several repetitions less a run of one, so that neither Python's start nor the first call's set-up counts. It fails if a
count is more than 5 % above the one in baseline.json; `--update` writes that file. Valgrind has no AVX-512, so that the
AVX2 kernels count, also on a machine whose calls take others; those are the same source on other vectors.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BASELINE = HERE / "baseline.json"
REPETITIONS = {"score": 6, "score_paper": 6, "fit": 3, "explain": 3}
TOLERANCE = 0.05


def main() -> None:
    """Count, compare, and fail where a count has grown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the counts to baseline.json")
    update = parser.parse_args().update
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed: apt-get install valgrind")
    if "avx2" not in Path("/proc/cpuinfo").read_text():
        raise SystemExit("this machine has no AVX2, with which the baseline was counted")
    if not update and not BASELINE.exists():
        raise SystemExit(f"{BASELINE.name} is not there yet: run with --update on a machine with AVX2")
    counts = {name: per_repetition(name, times) for name, times in REPETITIONS.items()}
    if update:
        BASELINE.write_text(json.dumps(counts, indent=2) + "\n")
    baseline = json.loads(BASELINE.read_text())
    grown = []
    for name, count in counts.items():
        ratio = count / baseline[name]
        print(f"{name}: {count / 1e6:.2f} million instructions, {ratio:.3f} × the baseline")
        if ratio > 1 + TOLERANCE:
            grown.append(name)
        elif ratio < 1 - TOLERANCE:
            print("  fewer than before: run with --update, so that it stays so")
    if grown:
        raise SystemExit(
            f"more than {TOLERANCE:.0%} above the baseline: {', '.join(grown)}; if that must be, run with --update"
        )


def per_repetition(name: str, times: int) -> int:
    """The instructions of one repetition."""
    return round((instructions(name, times) - instructions(name, 1)) / (times - 1))


def instructions(name: str, times: int) -> int:
    """All instructions of a process that does it so many times."""
    python = ROOT / ".venv" / "bin" / "python"
    program = [python if python.exists() else sys.executable, HERE / "workload.py", name, str(times)]
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    # One thread, and the same hashes: what is left is the same from run to run.
    fixed = {"POLARS_MAX_THREADS": "1", "POLARS_ANORAND_THREADS": "1", "PYTHONHASHSEED": "0"}
    run = subprocess.run(
        [*valgrind, *program], capture_output=True, text=True, env={**os.environ, **fixed}, check=False
    )
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or found is None:
        raise SystemExit(f"valgrind failed: {run.stderr[-2000:]}")
    return int(found[1])


if __name__ == "__main__":
    main()
