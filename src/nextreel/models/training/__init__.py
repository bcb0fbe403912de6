"""Training in epochs: the loop itself, what it reports, its checkpoints, and the held-out users it is validated on."""
