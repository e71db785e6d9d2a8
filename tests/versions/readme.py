"""Runs the Python code of the README, one block after the other, as a reader who pastes it."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def main() -> None:
    """Run the first blocks of the file that is named, as many as are asked for; or all."""
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    if len(blocks) < 2:
        raise SystemExit(
            f"{sys.argv[1]} has {len(blocks)} blocks of Python, expected its first lines and its screen of code"
        )
    wanted = blocks[: int(sys.argv[2])] if len(sys.argv) > 2 else blocks
    pasted: dict[str, object] = {}  # a later block uses what an earlier one imports
    for block in wanted:
        exec(compile(block, sys.argv[1], "exec"), pasted)
    print(f"{len(wanted)} blocks of the README run")


if __name__ == "__main__":
    main()
