"""Settings, and the object behind the fixture."""
