"""The wheel holds what the package needs: code, prompt texts, the catalogue, the jail's side."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
BUILD = "import sys, uv_build; print(uv_build.build_wheel(sys.argv[1]))"


def test_every_file_of_the_package_is_in_the_wheel(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [sys.executable, "-c", BUILD, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    package = ROOT / "src" / "codeloop"
    files = {
        str(path.relative_to(ROOT / "src"))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in packed if ".dist-info/" not in name} == files
    assert {"codeloop/py.typed", "codeloop/loop/texts/system.md"} <= packed
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in packed)
