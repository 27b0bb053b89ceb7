"""Container images without a registry: layers from this machine's Python, wheels and tools."""
