"""The programs on the jail's side: small, trusted, standard library only, started without the rest.

zygote.py   starts first, builds the private root (root.py), forks slots
slot.py     pid 1 of each session's namespaces: starts, watches (sample.py) and kills the guest
guest.py    the last steps before untrusted code: limits, capabilities, seccomp.py
script.py   one-shot runs; cells.py stateful ones
resident.py programs of the host's own: a tester, and a nursery of candidates

Nothing here may import anything of codeloop but its siblings: they are loaded without the package.
"""
