"""Handles, on the side of pytest, of instances."""
