"""Rigs: a candidate and a tester in two jails, joined by a socket for one trial at a time.

rig.py        what a judge is handed
trial.py      one trial, watched to its end
residents.py  the programs that live in the two jails, seen from the host
"""
