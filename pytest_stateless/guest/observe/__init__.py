"""Watching what the app does, from inside the instance."""
