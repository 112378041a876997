"""How penstock/tiny-embed is made: static token vectors distilled from all-MiniLM-L6-v2."""
