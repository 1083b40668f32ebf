"""Everything of the agent that touches the chain, Docker, the network, the disk or the clock."""
