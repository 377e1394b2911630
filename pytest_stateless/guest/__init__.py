"""What runs in an instance's process; imports nothing from the layers above."""
