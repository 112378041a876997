"""Makes the world match what is wanted: replicas that run, weights that are here."""
