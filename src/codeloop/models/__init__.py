"""Ways to a model: an endpoint over HTTP, a file in this process, a script, a recording."""
