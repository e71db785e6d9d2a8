"""A user's path as the plugin takes it; the one place where a path is read."""

from __future__ import annotations

import errno
import os
import re
import reprlib
import stat
from pathlib import Path
from typing import cast

# "s3://bucket/key", and "s3:/bucket/key", which pathlib.Path makes of it. A single letter is a drive.
_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


def to_read(path: str | os.PathLike[str]) -> str:
    """The absolute path of a file to read, ``~`` expanded.

    Raises
    ------
    TypeError
        If it is not text.
    ValueError
        If it is a URL.

    """
    return _local(path, 'read its bytes with a client of your own, such as fsspec.open(url, "rb"), and pass the bytes')


def read(file: Path) -> bytes:
    """The bytes of a regular file.

    Raises
    ------
    OSError
        If it can't be read, or is a device, a pipe or a socket: to open a pipe would wait for its other end.

    """
    mode = os.stat(file).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        what = "is a device, a pipe or a socket, expected the path of a model file"
        raise OSError(errno.EINVAL, f"anorand: the model {file} {what}", str(file))
    return file.read_bytes()


def to_write(path: str | os.PathLike[str]) -> str:
    """The absolute path of a file to write, ``~`` expanded; raises as :func:`to_read`."""
    return _local(path, 'write Model(…).to_bytes() with a client of your own, such as fsspec.open(url, "wb")')


def as_argument(path: str) -> str | bytes:
    """A path as the plugin's calls take it: one that is not UTF-8 as bytes, which a pickled text can't hold."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def _local(path: str | os.PathLike[str], advice: str) -> str:
    try:
        text = cast("object", os.fspath(path))
    except TypeError:
        text = None
    if not isinstance(text, str):
        advice = ": Model(data) makes a model of bytes" if isinstance(path, (bytes, bytearray, memoryview)) else ""
        raise TypeError(
            f"path must be a str or an os.PathLike of one, got {reprlib.repr(path)} ({type(path).__name__}){advice}"
        )
    if _URL.match(text):
        raise ValueError(f"a model's path must be a local file, got the URL {text!r}: {advice}")
    # Absolute, since a lazy query may run after the process has changed its folder.
    return os.path.abspath(os.path.expanduser(text))
