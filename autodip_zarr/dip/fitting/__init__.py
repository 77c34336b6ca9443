"""One fit or many: what is minimised, what perturbs and ends it, and how fits share a device."""
