"""The command line: ``anorand detect sales.csv``. It needs nothing but the standard library and Polars."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from polars_anorand import _files, frames
from polars_anorand import _polars_anorand as _core
from polars_anorand._options import CONTAMINATION
from polars_anorand.drift import drift
from polars_anorand.model import Model
from polars_anorand.profile import profile
from polars_anorand.report import report
from polars_anorand.scan import train

_FOUND_TOO_MANY = 1
_FAILED = 2
"""The exit codes, besides 0."""

_EXAMPLES = {
    "profile": "anorand profile sales.csv",
    "train": "anorand train 'sales/2026-*.parquet' --model sales.safetensors",
    "score": "anorand score today.parquet --model sales.safetensors --out scored.parquet",
    "detect": "anorand detect today.csv --model sales.safetensors --out outliers.csv --fail-on 0.02",
    "drift": "anorand drift today.csv --model sales.safetensors",
    "report": "anorand report today.csv --model sales.safetensors --out today.html --by day",
}


class _Problem(Exception):  # noqa: N818  # what the user reads is its text
    """What the user can put right."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    given = _parser().parse_args(arguments)
    warnings.showwarning = _show_warning
    try:
        code: int = given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output, such as head, has enough of it. What is left is not written when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (_Problem, pl.exceptions.PolarsError, OSError, ValueError, TypeError, ImportError) as error:
        print(f"anorand: {_in_words(error, getattr(given, 'files', []))}", file=sys.stderr)
        return _FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="anorand",
        description="Find anomalies in Parquet, CSV, NDJSON and Arrow IPC files.",
        epilog="exit codes: 0, done; 1, more outliers than --fail-on allows; 2, an error",
    )
    parser.add_argument("--version", action="version", version=_core.VERSION)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    command = _command(commands, "profile", _profile, "say what each column is to a detector, and why")
    _add_out(command, "a table to write, instead of text on the screen")
    command = _command(commands, "train", _train, "fit a model, and write it to a file")
    command.add_argument("--model", required=True, metavar="FILE", help="the model to write; with --by, a Parquet file")
    _add_columns(command)
    _add_by(command)
    command.add_argument("--seed", type=int, default=0, help="of the random draws (default: 0)")
    command = _command(commands, "score", _score, "score every row")
    command.add_argument("--model", required=True, metavar="FILE", help="of train")
    _add_out(command, "the rows with their scores (default: CSV on the screen)")
    command = _command(commands, "detect", _detect, "write the outliers, with reasons")
    command.add_argument("--model", metavar="FILE", help="of train (default: a model of the rows themselves)")
    _add_columns(command)
    _add_by(command)
    _add_contamination(command)
    command.add_argument(
        "--explain", type=int, default=frames.REASONS, metavar="K", help="reasons of a row (default: 3)"
    )
    command.add_argument("--all", action="store_true", help="write all rows, not the outliers alone")
    command.add_argument(
        "--fail-on", type=float, metavar="SHARE", help="exit with 1 if the share of outliers is above it"
    )
    _add_out(command, "the outliers (default: CSV on the screen)")
    command = _command(commands, "drift", _drift, "say which columns have moved away from the training rows")
    command.add_argument("--model", required=True, metavar="FILE", help="of train")
    _add_contamination(command)
    _add_out(command, "a table to write, instead of text on the screen")
    command = _command(commands, "report", _report, "write a page with scores, outliers, reasons and drift")
    command.add_argument("--model", metavar="FILE", help="of train (default: a model of the rows themselves)")
    _add_columns(command)
    command.add_argument("--by", metavar="COLUMN", help="a time or a group to count outliers by")
    _add_contamination(command)
    command.add_argument("--out", default="report.html", metavar="FILE", help="the page (default: report.html)")
    return parser


def _command(commands: Any, name: str, run: Callable[[argparse.Namespace], int], what: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=f"example:\n  {_EXAMPLES[name]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "files", nargs="+", metavar="FILE", help="files, patterns such as 'day/*.parquet', or folders of partitions"
    )
    command.set_defaults(run=run)
    return command


def _add_columns(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--columns", type=_names, metavar="A,B", help="the features (default: all that are worth fitting on)"
    )


def _add_by(command: argparse.ArgumentParser) -> None:
    command.add_argument("--by", type=_names, metavar="A,B", help="fit a model for each group of these columns")


def _add_contamination(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--contamination", type=float, metavar="SHARE",
        help=f"the share of the training rows to call outliers (default: {CONTAMINATION})",
    )  # fmt: skip


def _add_out(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("--out", metavar="FILE", help=what)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _profile(given: argparse.Namespace) -> int:
    # There are no notes of what was not collected.
    return _show(profile(_files.scanned(given.files)).drop("notes"), given.out)


def _train(given: argparse.Namespace) -> int:
    fitted = _fitted(given, given.seed)
    if isinstance(fitted, Model):
        fitted.save(given.model)
        return 0
    if Path(given.model).suffix not in (".parquet", ".pq"):
        raise _Problem(
            f"with --by, --model is a table of a model for each group: name a .parquet file, not {given.model}"
        )
    _files.write(fitted.lazy(), given.model)
    return 0


def _score(given: argparse.Namespace) -> int:
    model = _model(given.model)
    rows = _files.scanned(given.files, model)
    scored = (
        frames.with_models(rows, model, contamination=None, explain=None)
        if isinstance(model, pl.DataFrame)
        else model.score(rows)
    )
    with _progress():
        _files.write(scored, given.out)
    return 0


def _detect(given: argparse.Namespace) -> int:
    model = _known_or_fitted(given)
    rows = _files.scanned(given.files, model)
    options: dict[str, Any] = {"contamination": given.contamination, "explain": given.explain}
    found = (
        frames.with_models(rows, model, **options) if isinstance(model, pl.DataFrame) else model.detect(rows, **options)
    )
    counts = found.select(pl.len().alias("rows"), pl.col("score").count().alias("scored"), pl.col("outlier").sum())
    wanted = found if given.all else found.filter("outlier").drop("outlier")
    with _progress():
        table, counted = pl.collect_all([wanted, counts])
    _files.write(table.lazy(), given.out)
    rows_read, scored, outliers = counted.row(0)
    share = outliers / scored if scored else 0.0
    text = f"{outliers:,} of {scored:,} rows are outliers ({share:.2%})"
    unscored = f"; {rows_read - scored:,} have no score" if rows_read > scored else ""
    print(f"anorand: {text}{unscored}", file=sys.stderr)
    return _FOUND_TOO_MANY if given.fail_on is not None and share > given.fail_on else 0


def _drift(given: argparse.Namespace) -> int:
    model = _one(given.model)
    share = CONTAMINATION if given.contamination is None else given.contamination
    found = drift(_files.scanned(given.files, model), model, contamination=share)
    if given.out is None:
        few = ["feature", "drifted", "psi", "training_median", "median", "training_missing", "missing", "unseen"]
        found = found.select(*few, "training_outliers", "outliers").with_columns(
            pl.col("feature").fill_null("(scores)")
        )
    return _show(found, given.out)


def _report(given: argparse.Namespace) -> int:
    model = _one(given.model) if given.model else train(_files.scanned(given.files), given.columns)
    share = CONTAMINATION if given.contamination is None else given.contamination
    source = ", ".join(given.files)
    # By its path, the page names the model's file.
    known = given.model or model
    with _progress():
        report(
            _files.scanned(given.files, model), known, path=given.out, by=given.by, contamination=share, source=source
        )
    return 0


def _known_or_fitted(given: argparse.Namespace) -> Model | pl.DataFrame:
    if given.model is None:
        return _fitted(given)
    if given.columns or given.by:
        raise _Problem("--columns and --by are for a fit, and --model names a model that is fitted already")
    return _model(given.model)


def _fitted(given: argparse.Namespace, seed: int = 0) -> Model | pl.DataFrame:
    """Return a model of the rows, or a frame of those of groups."""
    rows = _files.scanned(given.files)
    columns: list[str] | None = given.columns
    by: list[str] | None = given.by
    with _progress():
        return train(rows, columns, by=by, seed=seed) if by else train(rows, columns, seed=seed)


def _model(path: str) -> Model | pl.DataFrame:
    """Return the model of a file, or the models of groups."""
    return pl.read_parquet(path) if Path(path).suffix in (".parquet", ".pq") else Model.load(path)


def _one(path: str) -> Model:
    model = _model(path)
    if isinstance(model, pl.DataFrame):
        raise _Problem(f"{path} has a model for each group, and this command takes one model: train without --by")
    return model


def _show(table: pl.DataFrame, out: str | None) -> int:
    """Write a table to a file, or as aligned text."""
    if out is not None:
        _files.write(table.lazy(), out)
        return 0
    lines = [table.columns, *[[_text(value) for value in row] for row in table.iter_rows()]]
    widths = [max(len(line[at]) for line in lines) for at in range(table.width)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _in_words(error: BaseException, files: Sequence[str]) -> str:
    """Return what went wrong, without what Polars adds: the expression, the bytes of its arguments, and its options."""
    text = re.split("\n+(This error occurred|Resolved plan|Consider setting)", str(error))[0].strip()
    text = text.removeprefix("the plugin failed with message: ").removeprefix("anorand: ") or type(error).__name__
    if "conversion from `str`" in text:
        text += (
            "; the model was trained on a column without such texts: mend them, or train on rows that have some, so "
            "that they are judged as texts among the others"
        )
    is_of_polars = isinstance(error, pl.exceptions.PolarsError) and not str(error).startswith("the plugin")
    return f"{text} (reading {', '.join(files)})" if is_of_polars and files else text


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"anorand: {str(message).removeprefix('anorand: ')}", file=sys.stderr)


@contextlib.contextmanager
def _progress(to: TextIO | None = None, seconds: float = 0.2) -> Generator[None]:
    """Show on a terminal how far the calls in the block are."""
    stream = sys.stderr if to is None else to
    if not stream.isatty():
        yield
        return
    counters, ended = _core.Counters(), threading.Event()

    def draw() -> None:
        while not ended.wait(seconds):
            counts = [f"{done:,}{f' of {total:,}' if total else ''} {unit}" for unit, done, total in counters.read()]
            stream.write(f"\r\033[K{', '.join(counts)}")
            stream.flush()

    thread = threading.Thread(target=draw, name="anorand-progress", daemon=True)
    _core.watch_calls(counters)
    thread.start()
    try:
        yield
    finally:
        _core.leave_calls(counters)
        ended.set()
        thread.join()
        stream.write("\r\033[K")
