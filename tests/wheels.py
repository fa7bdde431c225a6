"""Wheels that tests install."""

import zipfile
from pathlib import Path


def make_wheel(folder: Path, name: str, files: dict[str, str], needs: str = "") -> None:
    """Write a wheel of version 1.0 that holds these files."""
    info = f"{name}-1.0.dist-info"
    needed = f"Requires-Dist: {needs}\n" if needs else ""
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needed}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    path_of_wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path_of_wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in {**about, **files}.items():
            archive.writestr(path, text)
