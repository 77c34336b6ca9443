"""The method tried on single planes, arrays, and pairs with a clean partner; writes no result."""
