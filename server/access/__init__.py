"""Who may do how much at once, and what happens when the client leaves."""
