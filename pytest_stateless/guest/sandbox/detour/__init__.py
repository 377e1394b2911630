"""The interpreter's own seal: a private `/tmp` for Python code, and refusals before the fact."""
