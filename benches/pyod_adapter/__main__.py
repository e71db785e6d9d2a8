"""Check AnoRand as a detector of PyOD, and run PyOD's own tests of a detector on it.

``python -m benches.pyod_adapter`` makes the checks of ``contract.py``. PyOD's package lacks its tests. With a checkout
of its repository, ``--tests <checkout>/pyod/test`` also runs those of ECOD and COPOD, with AnoRand in their place:
these detectors need no parameter but a contamination. It needs ``benches/requirements.txt``.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import unittest
import warnings
from pathlib import Path

from pyod import version

from .adapter import AnoRand
from .contract import CHECKS, Case

THEIRS = {"ecod": "ECOD", "copod": "COPOD"}
"""The modules of detectors whose tests are run, and their classes."""


def main() -> None:
    """Print each check and whether it holds; the exit code is 1 if one does not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=Path, help="the folder pyod/test of a checkout of PyOD's repository")
    given = parser.parse_args()
    # PyOD warns of its own deprecated methods.
    warnings.simplefilter("ignore")
    case = Case(AnoRand())
    failed = 0
    print(f"PyOD {version.__version__}; torch imported: {'torch' in sys.modules}")
    for check in CHECKS:
        holds = check(case)
        failed += not holds
        print(f"  {'ok  ' if holds else 'FAIL'} {check.__doc__}")
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} checks hold")
    if given.tests is not None:
        failed += theirs(given.tests)
    sys.exit(failed > 0)


def theirs(folder: Path) -> int:
    """Run PyOD's tests of some detectors on AnoRand; the number of those that fail."""
    sys.path.insert(0, str(folder))
    failed = 0
    for module, detector in THEIRS.items():
        # The tests import the detector by its name.
        setattr(importlib.import_module(f"pyod.models.{module}"), detector, AnoRand)
        cases = getattr(importlib.import_module(f"test_{module}"), f"Test{detector}")
        result = unittest.TextTestRunner(stream=sys.stdout).run(unittest.defaultTestLoader.loadTestsFromTestCase(cases))
        failed += len(result.failures) + len(result.errors)
        print(f"PyOD's Test{detector}: {result.testsRun} run, {len(result.failures) + len(result.errors)} failed")
    return failed


if __name__ == "__main__":
    main()
