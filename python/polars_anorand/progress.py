"""How far calls are: bars on stderr, or in a notebook, by tqdm."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from typing import TYPE_CHECKING, Any, Literal

from polars_anorand import _polars_anorand as _core

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

Shown = Literal["terminal", "always"]
"""Where progress is drawn: where stderr is a terminal and in a notebook, or anywhere."""

_SECONDS = 0.1
"""Between two drawings."""


def shown(progress: bool | Literal["always"]) -> Shown | None:
    """The argument of a verb as the plugin takes it.

    Raises
    ------
    TypeError
        If it is something else.
    ImportError
        If tqdm is to draw and is not installed.

    """
    if progress is False:
        return None
    if progress is not True and progress != "always":
        raise TypeError(f'progress must be True, False or "always", got {progress!r} ({type(progress).__name__})')
    if importlib.util.find_spec("tqdm") is None:
        raise ImportError("progress is drawn by tqdm, which is not installed: pip install 'polars-anorand[progress]'")
    return "terminal" if progress is True else "always"


class progress:  # noqa: N801  # read as a function: with progress():
    """Show how far the calls within a ``with`` block are: training steps, groups, and rows.

    All calls of all queries that run in the process meanwhile are counted together, but for those with ``progress=``
    of their own. Several blocks, one within another or of several threads, each count all of them. Rows of a
    stream have no total, since Polars does not tell a plugin what is to come.

    Parameters
    ----------
    always
        Draw even where stderr is no terminal and no notebook, as in a log file.

    Raises
    ------
    ImportError
        If tqdm is not installed: ``pip install 'polars-anorand[progress]'``.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [1.0, 1.1, 0.9, 1.2, 9.0], "y": [2, 2, 3, 2, 9]})
    >>> with anorand.progress():
    ...     scored = frame.lazy().with_columns(anorand.score(["x", "y"])).collect()
    >>> scored.columns
    ['x', 'y', 'score']

    """

    def __init__(self, *, always: bool = False) -> None:
        self._counters = _core.Counters()
        where = shown("always" if always else True)
        self._drawing = Drawing(self._counters, where or "terminal", "anorand")

    def __enter__(self) -> Self:
        self._drawing.begin()
        _core.watch_calls(self._counters)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _core.leave_calls(self._counters)
        self._drawing.end()


class Drawing:
    """Bars that show counters, drawn by a thread of their own from ``begin()`` to ``end()``."""

    def __init__(self, counters: _core.Counters, where: Shown, name: str) -> None:
        self._counters = counters
        self._is_drawn = where == "always" or _is_interactive()
        self._name = name
        self._bars: dict[str, Any] = {}
        self._ended = threading.Event()
        # A daemon: a process that ends does not wait for it.
        self._thread = threading.Thread(target=self._run, name="anorand-progress", daemon=True)

    def begin(self) -> None:
        """Start to draw, where that is wanted."""
        if self._is_drawn:
            self._thread.start()

    def end(self) -> None:
        """Draw for the last time."""
        if not self._is_drawn:
            return
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        tqdm = importlib.import_module("tqdm.auto").tqdm
        while not self._ended.wait(_SECONDS):
            self._draw(tqdm)
        self._draw(tqdm)
        for bar in self._bars.values():
            bar.close()

    def _draw(self, tqdm: Any) -> None:
        for unit, done, expected in self._counters.read():
            if unit not in self._bars:
                self._bars[unit] = tqdm(desc=self._name, unit=f" {unit}", unit_scale=True, file=sys.stderr)
            bar = self._bars[unit]
            bar.total = max(done, expected) if expected else None
            bar.n = done
            bar.refresh()


def _is_interactive() -> bool:
    """Whether a person watches stderr: in a terminal, or in a notebook, whose stderr is none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel") or (sys.stderr is not None and sys.stderr.isatty())
