"""What codeloop offers over HTTP."""
