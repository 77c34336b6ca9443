"""The Deep Image Prior: network, fit and tiling; needs nothing but torch and numpy."""
