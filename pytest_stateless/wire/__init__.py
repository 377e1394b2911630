"""What crosses a process boundary: typed messages and their framing. Pure."""
