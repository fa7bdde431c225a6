"""The client's side of nodes: a pool whose slots are on other machines.

`RemotePool` keeps an order for each program until a node has answered it; a `Lane` of a node
takes orders when it has room, so that quick nodes take more. `Link` speaks HTTP with one node.
"""

from codeloop.sandbox.remote.pool import RemotePool, open_nodes

__all__ = ["RemotePool", "open_nodes"]
