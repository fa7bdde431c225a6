"""What other programs make of a server: `llm` as a chat client, schemathesis as a tester."""

import os
from pathlib import Path
from typing import Any

import pytest
from page_server import StartPage

PYTHON = os.environ.get("CODELOOP_PEERS")
pytestmark = [
    pytest.mark.skipif(PYTHON is None, reason="scripts/test-peers sets CODELOOP_PEERS"),
    pytest.mark.timeout(300),
    pytest.mark.jail,
]

MODELS = """
- model_id: plain
  model_name: scripted
  api_base: {base}
  api_key_name: codeloop
- model_id: loop
  model_name: scripted+run
  api_base: {base}
  api_key_name: codeloop
"""


def test_llm_asks_and_goes_on_with_what_it_asked(
    start: StartPage, peer: Any, tmp_path: Path
) -> None:
    replies = ["Hello.", "```python\nx = 6 * 7\nprint(x)\n```", "```python\nprint(x + 1)\n```"]
    server = start(replies=replies)
    base = f"http://127.0.0.1:{server.port}/v1"
    (tmp_path / "extra-openai-models.yaml").write_text(MODELS.format(base=base))
    settings = {"LLM_USER_PATH": str(tmp_path), "LLM_LOAD_PLUGINS": ""}

    def ask(*words: str) -> str:
        said: str = peer("-m", "llm", *words, "--key", server.token, **settings)
        return said

    assert ask("-m", "plain", "hi", "--no-stream").strip() == "Hello."
    assert "```output ok of 1\n42\n```" in ask("-m", "loop", "compute")
    assert "```output ok of 1\n43\n```" in ask("-c", "add one")


SETTINGS = """
[parameters]
"path.chat" = "{chat}"
"path.cell" = "c1"
"path.compare" = "{compare}"
"path.name" = "a.txt"
"""


def test_schemathesis_finds_no_server_error_and_no_answer_that_is_not_in_the_file(
    start: StartPage, peer: Any, tmp_path: Path
) -> None:
    server = start(replies=lambda _: "```python\nprint(6 * 7)\n```")
    chat = server.client.new_chat(title="a")
    chat.say("Compute")
    assert server.client.ask("PUT", f"/api/chats/{chat.id}/files/a.txt", b"a").status == 201
    body = {"text": "x", "models": ["scripted", "scripted"]}
    compare = server.client.post("/api/compares", body).json.get("compare", "none")
    (tmp_path / "schemathesis.toml").write_text(SETTINGS.format(chat=chat.id, compare=compare))
    said = peer(
        *("-c", RUN, str(Path(str(PYTHON)).with_name("schemathesis"))),
        *("run", f"http://127.0.0.1:{server.port}/api/openapi.json", "--no-color", "--seed", "1"),
        *("--header", f"Authorization: Bearer {server.token}", "--request-timeout", "30"),
        *("--checks", "not_a_server_error,response_schema_conformance,status_code_conformance"),
        *("--max-examples", "3", "--phases", "coverage,fuzzing"),
        *("--exclude-path-regex", "events$", "--exclude-method", "DELETE"),  # one never ends
    )
    assert "failed" not in said.partition("SUMMARY")[2]


RUN = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
