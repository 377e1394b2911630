"""What outlives an instance, from pytest's side: AWS, databases, folders, and what users add."""
