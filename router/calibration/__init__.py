"""From scores and features to P(correct), and to thresholds with a bound."""
