"""The provider's daemon: bids for orders, runs the workloads of its leases and confirms them."""
