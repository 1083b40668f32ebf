"""The whole exchange on one machine: a chain, the contracts, a facilitator, two providers and a tenant."""
