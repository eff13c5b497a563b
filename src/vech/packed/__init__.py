"""The plain store: one half and its layout, and what is computed straight on it."""
