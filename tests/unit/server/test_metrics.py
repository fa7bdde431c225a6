"""The page of counts is what Prometheus reads."""

import re

from served import Serve

LINE = re.compile(
    r'(# (HELP|TYPE) [a-z_]+ .+)|([a-z_]+(\{[a-z]+="[^"\n\\]+"\})? [0-9]+(\.[0-9]+)?)'
)


def test_every_line_is_of_the_format_and_every_series_has_a_type(serve: Serve) -> None:
    served = serve()
    served.order(("a", "1"), ("b", "2"))
    page = served.http.request("GET", "/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = page.data.decode().splitlines()
    assert not [line for line in lines if LINE.fullmatch(line) is None]
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    series = {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) for name in series}
    assert {name for name in plain if name not in typed} == set()
    assert len(lines) == len(set(lines))


def test_a_run_is_counted_once_everywhere(serve: Serve) -> None:
    served = serve()
    served.order(("a", "1"), ("b", "2"))
    page = served.counts()
    assert 'codeloop_node_runs_total{status="ok"} 2' in page
    assert 'codeloop_node_run_seconds_bucket{le="+Inf"} 2' in page
    assert "codeloop_node_run_seconds_count 2" in page
    assert "codeloop_node_wait_seconds_count 2" in page
    assert "codeloop_node_slots 2" in page
    assert "codeloop_node_running 0" in page
