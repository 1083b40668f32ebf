"""Generated matrices: every transaction in every state, by every caller, with every extreme number, in every order."""
