# /// script
# requires-python = ">=3.11"
# dependencies = ["playwright==1.65.2"]
# ///
"""How soon the page of a run is painted, in Debian's chromium without a screen.

    scripts/bench page runs/DIR --json out.json

Opens report.html of a run, or a page of 164 dialogues of four long turns made up here, in a fresh
browser context each time, and takes the first contentful paint from the browser's own entries.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from codeloop.evals.reports.figures import summarise
from codeloop.evals.reports.page import run_page
from codeloop.evals.settings import FeedbackKind, Settings

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WIDTH = {"width": 1280, "height": 900}
PAINT = (
    "new Promise((done) => new PerformanceObserver((list) => list.getEntriesByName("
    "'first-contentful-paint').forEach((each) => done(each.startTime))"
    ").observe({type: 'paint', buffered: true}))"
)


def made_up() -> str:
    """Return the page of 164 dialogues of four turns, 8,000 characters each."""
    code = "def f(x):\n" + "    x = x + 1  # and so on\n" * 150 + "    return x\n"
    facts = {"rule": "defines", "visible": False, "visible_reason": "wrong_answer", "base": False}
    facts |= {"plus": False, "reason": "wrong_answer", "forgeable": False, "same_code": False}
    facts |= {"tokens": 900, "code": code}
    turn = {
        "reply": f"```python\n{code}```\n" + "Words. " * 500,
        "usage": {"prompt_tokens": 900, "completion_tokens": 900},
        "feedback": [{"source": "critic", "text": "That may not be right yet. " * 20}],
    }
    opening = [{"role": "user", "content": "Write f(x). " * 50}]
    rows: list[dict[str, Any]] = [
        {"problem": f"HumanEval/{at}", "sample": 0, "reason": "turn_limit", "turns": [facts] * 4}
        | {"prompt_tokens": 3600, "completion_tokens": 3600, "person_tokens": 0, "model_s": 40.0}
        | {"leaks": [], "dialogue": {"opening": opening, "turns": [turn] * 4, "id": str(at)}}
        for at in range(164)
    ]
    settings = Settings("humaneval+@0.1.10", "made-up", feedback=FeedbackKind.EXECUTION, turns=4)
    return run_page(settings, summarise(rows), rows)


def main() -> None:
    """Measure, print a line, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, help="a folder with report.html")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = args.run / "report.html" if args.run else Path(folder) / "report.html"
        if not args.run:
            path.write_text(made_up(), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        paints = []
        for _ in range(args.rounds):
            context = browser.new_context(viewport=WIDTH)  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(path.absolute().as_uri())
            paints.append(page.evaluate(PAINT))
            context.close()
        figures = {
            "bytes": path.stat().st_size,
            "first_contentful_paint_ms": statistics.median(paints),
            "slowest_ms": max(paints),
        }
        browser.close()
    print(json.dumps(figures))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
