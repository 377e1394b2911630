"""Reports: text from values. Pure."""
