"""What every store can do because of its promise: written once, on what `vech.store` names."""
