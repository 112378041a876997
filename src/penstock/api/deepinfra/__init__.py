"""DeepInfra's platform routes: the catalogue and deployments. Errors are `{"error": "…"}`."""
