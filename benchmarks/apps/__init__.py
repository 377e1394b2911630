"""Small apps to measure; each is served as the only module of a project in this folder."""
