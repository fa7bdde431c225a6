"""The built page is small, asks nothing of others, and needs no inline script."""

import gzip
import re
from pathlib import Path

STATIC = Path(__file__).parents[3] / "src" / "codeloop" / "server" / "static"
INDEX = (STATIC / "index.html").read_text(encoding="utf-8")
FIRST = [STATIC / path.lstrip("/") for path in re.findall(r'(?:src|href)="([^"]+)"', INDEX)]


def test_the_first_load_has_at_most_120_kb_gzip() -> None:
    assert len(FIRST) >= 3
    parts = [gzip.compress(path.read_bytes(), 6) for path in (STATIC / "index.html", *FIRST)]
    assert sum(map(len, parts)) <= 120_000


def test_the_page_has_no_inline_script_or_style_and_loads_nothing_from_elsewhere() -> None:
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\bstyle=", INDEX)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', INDEX)
    for path in STATIC.rglob("*.css"):
        assert not re.search(r"url\(|@import|@font-face", path.read_text(encoding="utf-8"))


def test_a_built_file_is_used_by_another() -> None:
    files = [path for path in (STATIC / "assets").iterdir() if path.is_file()]
    texts = "".join(path.read_text(encoding="utf-8") for path in STATIC.rglob("*.[jch]*"))
    assert [path.name for path in files if path.name not in texts] == []
