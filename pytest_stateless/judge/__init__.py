"""What runs mean: from observations to findings. Pure."""
