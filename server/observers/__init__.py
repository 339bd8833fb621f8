"""What is seen of a request: each observer reads the one frozen Outcome."""
