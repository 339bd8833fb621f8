"""Raw uncertainty scores, one a file: higher is less sure, `None` where the evidence is missing."""
