# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "bespokelabs-curator==0.1.31", "distilabel[openai]==1.5.3", "aiohttp", "openai",
#   "requests", "beautifulsoup4",
# ]
# ///
"""How many rows a second a dataset is made with, next to curator, distilabel and bare clients.

    scripts/bench dataset --json out.json

Each row is one call to a mock endpoint on loopback. Three questions, the systems taking turns:
`quick`, no latency and 64 in flight: what the machinery itself takes; `slow`, 1 s latency and 256
in flight; `refusing`, an endpoint that lets 100 calls a second through and refuses the others.
Ours is a whole run: config-built throttle, store with a commit before a reply counts, files;
replies come whole, as the peers ask for them (`streamed = false` in a config).
Peers may be run by another Python (`--peers PYTHON`); imports are not timed.
"""

# ruff: noqa: PLC0415  a system is imported in the process that runs it, and nowhere else

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mock_endpoint import mock

Json = dict[str, Any]
Timed = Callable[[], None]

OURS = "codeloop"


def ours(url: str, rows: int, in_flight: int, folder: Path) -> Timed:
    """Return a whole run of ours."""
    from codeloop.core.dialogue import Message, Role
    from codeloop.core.protocols import Reply, Sampling
    from codeloop.dataset.means import Cast, Means, Surroundings
    from codeloop.dataset.pipeline import Pipeline
    from codeloop.dataset.records import Query
    from codeloop.dataset.stages import Shop, Stage
    from codeloop.dataset.store import Store
    from codeloop.dataset.throttle import Allowance, Throttle, ThrottledModel
    from codeloop.models import Manner, connect

    def work(query: Query, means: Means) -> list[Query]:
        messages = [Message(Role.USER, query.query)]
        *_, reply = means.model("writer").stream(messages, means.sampling("writer"))
        assert isinstance(reply, Reply)
        return [Query(query.query, reply.text)]

    def run() -> None:
        throttle = Throttle(Allowance(in_flight))
        endpoint = connect("mock", base_url=url, manner=Manner(tries=1, streamed=False))
        model = ThrottledModel(endpoint, throttle, tries=50)
        stage = Stage("ask", "1", work, Query, roles=("writer",), calls=1)
        surroundings = Surroundings({"writer": Cast(model, Sampling(max_tokens=100))})
        queries = (Query(question(n)) for n in range(rows))
        with Store(folder / "store.db") as store:
            pipeline = Pipeline([stage], Shop(store, surroundings), in_flight=in_flight)
            pipeline.run(queries, folder)
        model.close()
        assert pipeline.funnel[0].made == rows

    return run


def curator(url: str, rows: int, in_flight: int, folder: Path) -> Timed:
    """Return a run of bespokelabs-curator: the openai backend, its limits lifted."""
    os.environ |= {"TELEMETRY_ENABLED": "0", "CURATOR_VIEWER": "0", "OPENAI_API_KEY": "none"}
    os.environ |= {"CURATOR_CACHE_DIR": str(folder), "CURATOR_DISABLE_RICH_DISPLAY": "1"}
    import litellm

    tokenizers = Path(litellm.__file__).parent / "litellm_core_utils" / "tokenizers"
    os.environ["TIKTOKEN_CACHE_DIR"] = str(tokenizers)
    from bespokelabs import curator as library
    from datasets import Dataset

    class Asking(library.LLM):  # type: ignore[misc]
        """One question a row."""

        def prompt(self, row: Json) -> str:
            """Return the question."""
            return str(row["query"])

        def parse(self, row: Json, response: str) -> Json:
            """Return the row with its answer."""
            return {"query": row["query"], "answer": response}

    data = Dataset.from_list([{"query": question(n)} for n in range(rows)])
    limits = {"max_requests_per_minute": 10**9, "max_tokens_per_minute": 10**12}
    params = {"base_url": url, "api_key": "none", "max_concurrent_requests": in_flight}
    asking = Asking(model_name="mock", backend="openai", backend_params=params | limits)

    def run() -> None:
        made = asking(data)
        assert len(getattr(made, "dataset", made)) == rows

    return run


def distilabel(url: str, rows: int, in_flight: int, folder: Path) -> Timed:
    """Return a run of distilabel, in batches as large as what is in flight."""
    os.environ |= {"OPENAI_API_KEY": "none", "HF_HUB_OFFLINE": "1"}
    from distilabel.models import OpenAILLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps import LoadDataFromDicts
    from distilabel.steps.tasks import TextGeneration

    with Pipeline("bench", cache_dir=folder) as pipeline:
        data = [{"instruction": question(n)} for n in range(rows)]
        load = LoadDataFromDicts(data=data, batch_size=in_flight)
        llm = OpenAILLM(model="mock", base_url=url, api_key="none")
        load >> TextGeneration(llm=llm, input_batch_size=in_flight)

    def run() -> None:
        made = pipeline.run(use_cache=False)
        assert len(made["default"]["train"]) == rows

    return run


def bare_openai(url: str, rows: int, in_flight: int, folder: Path) -> Timed:
    """Return calls by the openai SDK, kept nowhere."""
    from openai import AsyncOpenAI

    async def all_of_them() -> None:
        client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
        room = asyncio.Semaphore(in_flight)

        async def one(number: int) -> None:
            messages: Any = [{"role": "user", "content": question(number)}]
            async with room:
                done = await client.chat.completions.create(
                    model="mock", messages=messages, max_tokens=100
                )
            assert done.choices[0].message.content

        await asyncio.gather(*(one(number) for number in range(rows)))

    return lambda: asyncio.run(all_of_them())


def bare_aiohttp(url: str, rows: int, in_flight: int, folder: Path) -> Timed:
    """Return calls by aiohttp, kept nowhere."""
    import aiohttp

    async def all_of_them() -> None:
        room = asyncio.Semaphore(in_flight)
        connector = aiohttp.TCPConnector(limit=in_flight)
        async with aiohttp.ClientSession(connector=connector) as client:

            async def one(number: int) -> None:
                messages = [{"role": "user", "content": question(number)}]
                body = {"model": "mock", "messages": messages, "max_tokens": 100}
                async with room, client.post(f"{url}/chat/completions", json=body) as answer:
                    done = await answer.json()
                assert done["choices"][0]["message"]["content"]

            await asyncio.gather(*(one(number) for number in range(rows)))

    return lambda: asyncio.run(all_of_them())


SYSTEMS = {
    OURS: ours,
    "curator": curator,
    "distilabel": distilabel,
    "openai": bare_openai,
    "aiohttp": bare_aiohttp,
}
QUESTIONS: dict[str, Json] = {
    "quick": {
        "mock": [],
        "in_flight": 64,
        "rows": {OURS: 2000, "curator": 400, "distilabel": 300, "openai": 600, "aiohttp": 2000},
    },
    "slow": {
        "mock": ["--latency-s", "1"],
        "in_flight": 256,
        "rows": {OURS: 1536, "openai": 1536, "aiohttp": 1536},
    },
    "refusing": {
        "mock": ["--rate", "100", "--burst", "20", "--whole-seconds"],
        "in_flight": 64,
        "rows": {OURS: 2000},
    },
}


def question(number: int) -> str:
    """Return the text of a row."""
    return f"Question {number}: write a function that adds {number} to each item of a list."


def worker(name: str, url: str, rows: int, in_flight: int) -> Json:
    """Run a system in this process; return seconds and processor seconds, those of children too."""
    with tempfile.TemporaryDirectory() as folder:
        run = SYSTEMS[name](url, rows, in_flight, Path(folder))
        before, start = cpu_s(), time.perf_counter()
        run()
        wall_s = time.perf_counter() - start
    rss_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"wall_s": wall_s, "cpu_s": cpu_s() - before, "rss_mb": rss_kib / 1024}


def cpu_s() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def measured(name: str, kind: str, python: str, every: int) -> Json:
    """Run a system in a process of its own against a fresh endpoint; return its figures."""
    asked = QUESTIONS[kind]
    rows = max(1, asked["rows"][name] // every)
    with mock(*asked["mock"]) as port:
        url = f"http://127.0.0.1:{port}/v1"
        command = [python, __file__, "--worker", name, "--url", url, "--rows", str(rows)]
        done = subprocess.run(
            [*command, "--in-flight", str(asked["in_flight"])],
            capture_output=True,
            check=False,
            timeout=400,
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats") as answer:
            stats = json.load(answer)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr.decode()[-2000:]}")
    figures: Json = json.loads(done.stdout.splitlines()[-1])
    figures |= {"system": name, "kind": kind, "rows": rows, **stats}
    figures |= {"rows_s": rows / figures["wall_s"], "cpu_us": 1e6 * figures["cpu_s"] / rows}
    print(
        f"{kind:9} {name:11} {figures['rows_s']:8.1f} rows/s {figures['cpu_us']:8.0f} us a row, "
        f"{figures['rss_mb']:.0f} MB, {figures['rejected']} refused",
        flush=True,
    )
    return figures


def median(runs: list[Json], kind: str, name: str, key: str) -> float:
    """Return the median over rounds."""
    found = [float(run[key]) for run in runs if (run["kind"], run["system"]) == (kind, name)]
    return statistics.median(found)


def ratios(runs: list[Json], kinds: list[str]) -> list[tuple[str, float, str, float]]:
    """Return what is compared: words, figure, `>=` or `<=`, and the bar."""
    found = []
    for kind, bars in {
        "quick": [("curator", "rows_s", ">=", 6.0), ("distilabel", "rows_s", ">=", 6.0)],
        "slow": [("aiohttp", "rows_s", ">=", 0.95), ("openai", "rows_s", ">=", 2.5)],
    }.items():
        for peer, key, sign, bar in bars if kind in kinds else []:
            ratio = median(runs, kind, OURS, key) / median(runs, kind, peer, key)
            found.append((f"{kind}: rows/s of ours by those of {peer}", ratio, sign, bar))
    if "quick" in kinds:
        ratio = median(runs, "quick", OURS, "cpu_us") / median(runs, "quick", "openai", "cpu_us")
        found.append(("quick: processor time a call by the openai SDK's", ratio, "<=", 0.4))
    if "refusing" in kinds:
        served = median(runs, "refusing", OURS, "served")
        rate = served / median(runs, "refusing", OURS, "seconds") / 100
        share = median(runs, "refusing", OURS, "rejected") / served
        found.append(("refusing: share of the allowed rate", rate, ">=", 0.9))
        found.append(("refusing: share of calls refused", share, "<=", 0.02))
    return found


def main() -> None:
    """Measure, print a line for each run and each ratio, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=list(QUESTIONS), action="append")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one row of N: a trial")
    parser.add_argument("--peers", metavar="PYTHON", default=sys.executable)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures to a file")
    parser.add_argument("--worker", choices=list(SYSTEMS), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--in-flight", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(worker(args.worker, args.url, args.rows, args.in_flight)))
        return
    kinds = args.only or list(QUESTIONS)
    runs = []
    for _ in range(args.rounds):
        for kind in kinds:
            for name in QUESTIONS[kind]["rows"]:
                python = sys.executable if name == OURS else args.peers
                runs.append(measured(name, kind, python, args.every))
    compared = ratios(runs, kinds)
    for words, figure, sign, bar in compared:
        good = figure >= bar if sign == ">=" else figure <= bar
        print(f"{words}: {figure:.3f} ({sign} {bar:g}: {'yes' if good else 'NO'})")
    if args.json:
        ratio_rows = [
            dict(zip(("what", "figure", "sign", "bar"), row, strict=True)) for row in compared
        ]
        args.json.write_text(json.dumps({"runs": runs, "ratios": ratio_rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
