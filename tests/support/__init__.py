"""Real servers and scripted peers, each with an address of its own: for the system tests and for scripts/demo."""
