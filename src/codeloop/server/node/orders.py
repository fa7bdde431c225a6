"""The orders of a request, and the most that one may ask for."""

from dataclasses import fields

from starlette.exceptions import HTTPException

from codeloop.core.execution import MIB, ExecutionLimits
from codeloop.sandbox.remote.wire import Order, decode_order

CEILING = ExecutionLimits(
    cpu_s=3600.0,
    wall_s=3600.0,
    memory_bytes=64 * 1024 * MIB,
    processes=4096,
    disk_bytes=16 * 1024 * MIB,
    files=1_000_000,
    open_files=65_536,
    output_bytes=16 * MIB,
    output_stop_bytes=1024 * MIB,
)


def parse_orders(body: bytes) -> list[Order]:
    """Return the orders of a body, one a line.

    Raises:
        HTTPException: with status 400 a line holds none, asks for too much, or repeats an id.
    """
    orders: dict[str, Order] = {}
    for number, line in enumerate(body.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            order = decode_order(line)
            check(order.program.limits)
        except ValueError as error:
            raise HTTPException(400, f"line {number}: {error}") from error
        if order.id in orders:
            raise HTTPException(400, f"line {number}: the id {order.id!r} is there twice")
        orders[order.id] = order
    return list(orders.values())


def check(limits: ExecutionLimits) -> None:
    """Compare limits with the most that a node gives.

    Raises:
        ValueError: they are negative, or ask for more.
    """
    for field in fields(ExecutionLimits):
        value, most = getattr(limits, field.name), getattr(CEILING, field.name)
        if not 0 <= value <= most:
            msg = f"{field.name} is {value}; this node gives 0 to {most}"
            raise ValueError(msg)
