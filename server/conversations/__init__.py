"""Where responses are stored: in this process, or in a database that several share."""
