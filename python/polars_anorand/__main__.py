"""``python -m polars_anorand`` is the command ``anorand``."""

import sys

from polars_anorand.cli import main

sys.exit(main())
