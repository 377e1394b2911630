"""From observations to findings: what runs mean. Pure."""
