"""AWS, simulated by moto: in processes of its own, put back by a fork."""
