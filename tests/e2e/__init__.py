"""Tests from end to end; a package so that its conftest has a name of its own."""
