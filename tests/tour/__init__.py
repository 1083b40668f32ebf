"""docs/tour.md as it is executed: its commands are run on the demo's market, and what they print is compared."""
