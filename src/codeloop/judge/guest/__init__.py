"""The judge's own programs inside the jails: standard library only, sent there as source.

candidate.py  runs the solution and answers calls: it holds inputs, never what is expected
tester.py     holds the tests, calls the candidate through proxy.py, says how it went
checks.py     tests that are code: asserts that tell what they compared
compare.py    what counts as the same value, and where more than one answer is right
wire.py       plain data as bytes between the two; arrays.py: numpy's values as plain data

Nothing here may import anything of codeloop but its siblings: they are loaded without the package.
"""
