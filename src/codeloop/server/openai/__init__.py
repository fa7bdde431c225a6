"""OpenAI's forms over the same loop: chat completions, responses, containers, files."""
