"""The Model Context Protocol: the interpreter as tools, over standard streams and over HTTP."""
