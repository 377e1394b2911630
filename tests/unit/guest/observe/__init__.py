"""Tests of what an instance observes; a package so that its conftest has a name of its own."""
