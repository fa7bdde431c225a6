# /// script
# requires-python = ">=3.11"
# dependencies = ["playwright==1.65.2"]
# ///
"""Whether 20,000 printed lines freeze the page: tasks over 50 ms, as the browser counts; JSON out.

    scripts/bench page-lines --json out.json

Starts `codeloop serve`, opens its page in Debian's chromium, and runs a cell that prints 20,000
lines: at once, and for some seconds. Tasks count from when the cell is sent.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
CASES = {
    "at_once": "for i in range(20000): print('line', i)",
    "for_seconds": (
        "import time\nfor i in range(20000):\n    print('line', i, 'x' * 40, flush=True)\n"
        "    if i % 20 == 0: time.sleep(0.004)"
    ),
}
FIRST_MS = 1000
WATCH = """() => {
  window.tasks = []; window.began = performance.now();
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) tasks.push([each.startTime - began, each.duration]);
  }).observe({entryTypes: ["longtask"]});
}"""


def main() -> None:
    """Measure, print, and write down."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="where the figures go, besides the screen")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {name: _measure(Path(folder), code) for name, code in CASES.items()}
    print(json.dumps(found, indent=1))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _measure(folder: Path, code: str) -> dict[str, Any]:
    (folder / "model.json").write_text("[]", encoding="utf-8")
    command = [sys.executable, "-m", "codeloop", "serve", "--port", "0", "--data", f"{folder}/kept"]
    command += ["--model", f"scripted:{folder}/model.json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path="/usr/bin/chromium", args=FLAGS
                )
                return _run(browser.new_page(), url, code)
        finally:
            server.terminate()


def _run(page: Page, url: str, code: str) -> dict[str, Any]:
    page.goto(url)
    page.get_by_role("button", name="Write code yourself").click()
    page.get_by_role("textbox", name="Your own code").fill(code)
    page.wait_for_timeout(1500)
    page.evaluate(WATCH)
    page.keyboard.press("Control+Enter")
    page.locator(".cell .foot .good").wait_for(timeout=120_000)
    run_ms = page.evaluate("performance.now() - began")
    page.wait_for_timeout(1500)
    tasks: list[list[float]] = page.evaluate("tasks")
    late = [round(ms) for at, ms in tasks if at > FIRST_MS]
    return {"run_ms": round(run_ms), "tasks_over_50_ms": len(tasks), "after_first_second_ms": late}


if __name__ == "__main__":
    main()
