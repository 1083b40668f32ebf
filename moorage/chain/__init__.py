"""What the daemons and the command line know of the chain: reading at one block and sending, none of their rules."""
