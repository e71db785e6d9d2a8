"""Command line: `python benches/kernels/__main__.py [--update]`, or `make bench-kernels`.

Counts the instructions of calls of the built plugin under valgrind's callgrind: from the beginning of a call to that of
the next one, with the little that Python and Polars do between them. Of the repetitions of a call the last one counts,
so that set-up does not. It fails if a count is more than 5 % above the one in baseline.json; `--update` writes that
file. Valgrind has no AVX-512, so that the AVX2 kernels count, also on a machine whose calls take others; those are the
same source on other vectors.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BASELINE = HERE / "baseline.json"
TOLERANCE = 0.05
# What Polars calls. Callgrind begins another file of counts before each of its calls.
CALLS = "_polars_plugin_anorand_*"


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
        raise SystemExit(f"{BASELINE.name} is not there: run with --update on a machine with AVX2")
    counts = counted()
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


def counted() -> dict[str, int]:
    """The instructions of the last call of each name."""
    python = ROOT / ".venv" / "bin" / "python"
    program = [python if python.exists() else sys.executable, HERE / "workload.py"]
    # One thread, and the same hashes: what is left is the same from run to run.
    fixed = {"POLARS_MAX_THREADS": "1", "POLARS_ANORAND_THREADS": "1", "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "counts"
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={files}", f"--dump-before={CALLS}"]
        run = subprocess.run(
            [*valgrind, *program], capture_output=True, text=True, env={**os.environ, **fixed}, check=False
        )
        if run.returncode != 0:
            raise SystemExit(f"valgrind failed: {run.stderr[-2000:]}")
        names = run.stdout.split()
        # The first file is of what came before the first call, the last one of the last call and the program's end.
        dumps = [Path(f"{files}.{at + 1}") for at in range(len(names))]
        if not all(dump.exists() for dump in dumps) or Path(f"{files}.{len(names) + 1}").exists():
            raise SystemExit(f"valgrind saw other calls than the {len(names)} of the workload: is {CALLS} exported?")
        of_calls = [int(re.findall(r"^totals: (\d+)", dump.read_text(), re.MULTILINE)[-1]) for dump in dumps[1:]]
    return {name: count for name, count in zip(names, of_calls, strict=False) if not name.startswith("set-up")}


if __name__ == "__main__":
    main()
