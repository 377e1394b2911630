"""The documentation, run and read by tests."""
