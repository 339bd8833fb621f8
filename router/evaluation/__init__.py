"""Replay over recorded outcomes, measures, baselines, report."""
