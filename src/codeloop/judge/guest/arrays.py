"""numpy's values as plain parts and back: dtype, shape, raw data; numbers only, never objects."""

import math
import struct
import sys
from importlib import import_module
from typing import Any

_KINDS = "biufcSU"
_MAX_ITEM_BYTES = 4096
_MAX_DIMENSIONS = 32
_UNICODE_BYTES = 4
_SCALARS = {  # what a scalar is where there is no numpy
    "b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q",
    "u1": "B", "u2": "H", "u4": "I", "u8": "Q", "f2": "e", "f4": "f", "f8": "d",
}  # fmt: skip


def take_apart(value: Any) -> tuple[object, ...] | None:
    """Return what an array or a scalar (shape None) is made of; None for any other value."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    kind = type(value)
    if kind is numpy.ndarray:
        shape = value.shape
    elif isinstance(value, numpy.generic) and kind is value.dtype.type:
        shape = None
    else:
        return None
    return (value.dtype.str, shape, value.tobytes()) if value.dtype.kind in _KINDS else None


def put_together(parts: Any) -> Any:
    """Return the array or scalar of such parts, which an enemy may have written; None if it can't.

    Raises:
        ValueError: they are no such parts.
    """
    dtype, shape, raw = parts
    if type(dtype) is not str or type(raw) is not bytes:
        raise ValueError(dtype)
    size = int(dtype[2:])
    if dtype[0] not in "<>|=" or dtype[1] not in _KINDS or not 0 < size <= _MAX_ITEM_BYTES:
        raise ValueError(dtype)
    if shape is not None:
        _check_shape(shape)
    width = size * (_UNICODE_BYTES if dtype[1] == "U" else 1)
    if len(raw) != width * math.prod(shape or ()):
        raise ValueError(shape)
    try:
        np = import_module("numpy")  # the jail may not have it, and few values need it
    except ImportError:
        form = _SCALARS.get(dtype[1:])
        return struct.unpack(f"<{form}", raw)[0] if form and shape is None else None
    array = np.frombuffer(raw, dtype)
    return array[0] if shape is None else array.reshape(shape).copy()


def _check_shape(shape: Any) -> None:
    if type(shape) is not tuple or len(shape) > _MAX_DIMENSIONS:
        raise ValueError(shape)
    if not all(type(each) is int and each >= 0 for each in shape):
        raise ValueError(shape)
