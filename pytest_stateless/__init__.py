"""A pytest plugin that serves each test request from a fresh, sealed instance."""
