"""Other libraries beside vech: each is imported here, by the function that needs it, and nowhere else."""
