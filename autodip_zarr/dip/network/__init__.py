"""The network of the prior: its shape without torch, as functions, and arranged for speed."""
