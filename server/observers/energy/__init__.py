"""Joules of calls: counters are read, and what they say is shared among the calls that ran meanwhile."""
