"""Numbers from where they are to where they are wanted: full matrix, half, nonzeros. Nothing is computed."""
