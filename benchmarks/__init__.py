"""Benchmarks of pytest-stateless: `python -m benchmarks NAME`."""
