"""The facilitator: turns the exchange's crank at each block, for its tips."""
