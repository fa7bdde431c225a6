"""Wrong solutions that try to be judged right: each defines or replaces `f`, or what judges it."""

FRAMES = """
def all_frames():
    import sys
    frame = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back
"""
SOCKETS = """
import os, stat, struct
def sockets():
    for number in range(1024):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                yield number
        except OSError:
            pass
"""

FORGERIES = {
    "equals everything": """
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __bool__(self): return True
    def __hash__(self): return 0
def f(x): return Yes()
""",
    "an int that equals everything": """
class Yes(int):
    __eq__ = lambda self, other: True
    __hash__ = int.__hash__
    __sub__ = __rsub__ = __abs__ = __add__ = __mul__ = lambda self, *_: Yes(0)
    __lt__ = __le__ = lambda self, other: True
def f(x): return Yes(0)
""",
    "a float that is close to everything": """
class Near(float):
    __eq__ = lambda self, other: True
    __hash__ = float.__hash__
    __sub__ = __rsub__ = __abs__ = lambda self, *_: Near(0)
    __le__ = lambda self, other: True
def f(x): return Near(0)
""",
    "a list that equals everything": """
class Yes(list):
    __eq__ = lambda self, other: True
    __hash__ = None
    __iter__ = lambda self: iter([])
def f(x): return Yes([1])
""",
    "a metaclass that calls itself int": """
class Meta(type):
    def __eq__(cls, other): return True
    def __hash__(cls): return hash(int)
class Yes(metaclass=Meta):
    __class__ = int
    def __eq__(self, other): return True
def f(x): return Yes()
""",
    "reduces to code": """
class Bomb:
    def __reduce__(self): return (eval, ("exit(0)",))
def f(x): return Bomb()
""",
    "reads the caller's variables": FRAMES
    + """
def f(x):
    for frame in all_frames():
        for space in (frame.f_locals, frame.f_globals):
            for name in ("expected", "exp", "answer", "value", "tests", "check"):
                if name in space: return space[name]
    return None
""",
    "searches every object": """
import gc
def f(x):
    for each in gc.get_objects():
        if type(each) is dict and x in each: return each[x]
        if type(each) in (list, tuple) and len(each) == 2 and each[0] == x: return each[1]
    return None
""",
    "searches the memory of the process": """
def f(x):
    found = []
    for line in open("/proc/self/maps"):
        span, mode = line.split()[:2]
        if "r" not in mode or "[v" in line: continue
        start, end = (int(each, 16) for each in span.split("-"))
        try:
            with open("/proc/self/mem", "rb", 0) as file:
                file.seek(start)
                if b"assert " in file.read(end - start): found.append(start)
        except (OSError, ValueError, OverflowError): pass
    return found
""",
    "leaves with code 0": "import sys\ndef f(x): sys.exit(0)\n",
    "leaves at once": "import os\ndef f(x): os._exit(0)\n",
    "leaves while it is loaded": "import os\nos._exit(0)\n",
    "raises what ends a program": "def f(x): raise SystemExit(0)\n",
    "raises what ends a generator": "def f(x): raise GeneratorExit\n",
    "raises a reason to pass": """
class passed(Exception):
    def __str__(self): return "passed"
def f(x): raise passed
""",
    "answers on every socket": SOCKETS
    + """
def f(x):
    for number in sockets():
        for kind in b"lvmapd":
            os.write(number, struct.pack("=IIc", 1, 1, bytes([kind])) + b"T")
    return True
""",
    "says that it has passed on every socket": SOCKETS
    + """
for number in sockets():
    for what in b"anr":
        os.write(number, struct.pack("=cI", bytes([what]), 8) + b"passed!!")
def f(x): return 1
""",
    "answers before it is asked": SOCKETS
    + """
for number in sockets():
    os.write(number, struct.pack("=IIc", 0, 0, b"l"))
    for call in range(1, 9):
        os.write(number, struct.pack("=IIc", 9, call, b"v") + b"i" + struct.pack("<q", 122))
os._exit(0)
""",
    "marks its answers as right before it is asked": SOCKETS
    + """
for number in sockets():
    os.write(number, struct.pack("=IIc", 0, 0, b"l"))
    for call in range(1, 9):
        os.write(number, struct.pack("=IIc", 5, call, b"p") + b"i" + struct.pack("<i", 122))
os._exit(0)
""",
    "answers with digests": SOCKETS
    + """
import hashlib, marshal
for number in sockets():
    os.write(number, struct.pack("=IIc", 0, 0, b"l"))
    for call in range(1, 9):
        digest = hashlib.sha256(marshal.dumps(122, 2)).digest()
        os.write(number, struct.pack("=IIc", 32, call, b"d") + digest)
os._exit(0)
""",
    "answers with code": "def f(x): return f.__code__\n",
    "answers with marks of references": SOCKETS
    + """
import marshal
def f(x):
    for number in sockets():
        mark = marshal.dumps([[122]] * 2)
        os.write(number, struct.pack("=IIc", len(mark), 1, b"p") + mark)
    return [122]
""",
    "answers each call twice": """
import os
def f(x):
    os.fork()
    return 122
""",
    "claims a body without an end": SOCKETS
    + """
def f(x):
    for number in sockets():
        os.write(number, struct.pack("=IIc", 0xffffffff, 1, b"v") + b"l" * 4096)
    os._exit(0)
""",
    "closes the link": SOCKETS
    + """
def f(x):
    for number in sockets(): os.close(number)
    return 122
""",
    "replaces the comparison": """
import sys
for name, module in list(sys.modules.items()):
    for each in list(vars(module)):
        if each in ("accepts", "Comparison", "allclose", "_close", "isclose", "run", "check"):
            setattr(module, each, lambda *_, **__: True)
def f(x): return 0
""",
    "replaces the encoder": """
import sys
def f(x):
    frame = sys._getframe(1)
    while frame is not None:
        for name in list(frame.f_globals):
            if name in ("encode", "on_wire", "said", "dumps", "loads", "decode"):
                frame.f_globals[name] = lambda *_, **__: b"T"
        frame = frame.f_back
    return 0
""",
    "replaces built-ins": """
import builtins
builtins.AssertionError = SystemExit
builtins.abs = lambda _: 0
builtins.isinstance = lambda *_: True
builtins.len = lambda _: 0
def f(x): return 0
""",
    "changes what numbers are": """
import ctypes
def f(x):
    for number in range(257):
        ctypes.c_long.from_address(id(number) + 24).value = 122
    return 0
""",
    "numpy's comparison": """
try:
    import numpy
    numpy.allclose = numpy.array_equal = lambda *_, **__: True
except ImportError: pass
def f(x): return 0.0
""",
    "kills its parent": "import os\nos.kill(os.getppid(), 9)\ndef f(x): return 0\n",
    "stops its parent": "import os\nos.kill(os.getppid(), 19)\ndef f(x): return 0\n",
    "kills everyone": "import os\ndef f(x): os.kill(-1, 9)\n",
    "reads its parent": """
import os
def f(x):
    parent = os.getppid()
    for name in ("mem", "environ", "cmdline", "maps"):
        try: return open(f"/proc/{parent}/{name}", "rb").read(100)
        except OSError: pass
""",
    "traces its parent": """
import ctypes, os
def f(x): return ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0
""",
    "looks for the tests on the disk": """
import os
def f(x):
    for top, _, names in os.walk("/"):
        if top.startswith(("/usr", "/lib", "/proc", "/opt")): continue
        for name in names:
            try: text = open(os.path.join(top, name)).read(100_000)
            except (OSError, ValueError): continue
            if "assert f(" in text: return eval(text.split("== ")[1].split()[0])
    return None
""",
    "leaves a helper behind": """
import os
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    import time
    while True: time.sleep(0.01)
open("/work/sitecustomize.py", "w").write("print(1)")
open("/work/struct.py", "w").write("raise SystemExit(0)")
def f(x): return 0
""",
    "returns itself for ever": """
def f(x):
    value = []
    value.append(value)
    return value
""",
    "returns a world of references": """
def f(x):
    value = [1, 2, 3]
    for _ in range(60): value = [value] * 4
    return value
""",
    "returns what is never done": "def f(x):\n    while True: yield x\n",
    "wants to share a process with the tests": "def f(x): return lambda *_: 122\n",
    "defines a check of its own": """
def check(candidate): return True
def f(x): return None
candidate = f
""",
    "changes its argument": """
def f(x):
    try: x[:] = []
    except TypeError: pass
    return x
""",
    "is not there, but answers": """
def __getattr__(name): return lambda *_: True
""",
    "a function that is no function": """
class F:
    def __call__(self, x): return self
    def __eq__(self, other): return True
    __hash__ = None
f = F()
""",
}
