"""Text from values, for people to read. Pure."""
