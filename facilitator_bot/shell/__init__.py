"""How it is done: the loop and the transactions."""
