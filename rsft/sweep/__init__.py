"""The conductor: what is open, in which order, on which engines. The only room that knows the order."""
