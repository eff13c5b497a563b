"""Every speed vech promises, measured as a ratio in one process: python -m benchmarks."""
