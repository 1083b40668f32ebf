"""The use case of three regions: web tiers and caches in each, one database, on three hosts that are one machine."""
