"""Shared by all tests above the unit tests: servers, the machine, traffic, comparison."""
