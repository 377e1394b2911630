"""Sealing: a plan as a value, then applied, then proved from inside."""
