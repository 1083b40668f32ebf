"""The exchange as a model in plain Python, and the contracts held against it for as many steps as there is time."""
