"""Paths as services: what they hold is remembered, put back and observed."""
