"""A node: a pool of jails behind HTTP, for clients of ours and for those of SandboxFusion.

A request passes the `Gate` (token, host, size); its programs go into the `Backlog`, which is
bounded and has a thread for each slot of the pool. `Kept` remembers results by their id.
"""
