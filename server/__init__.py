"""The gateway: all the I/O around the pure router."""
