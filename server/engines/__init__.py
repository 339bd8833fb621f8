"""What runs a tier's model; every engine is one implementation of the port `router.ports.Engine`."""
