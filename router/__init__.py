"""What to try, what to believe: routing, verification, calibration and the cascade, free of I/O."""
