"""Any server that speaks OpenAI, and how each kind of server is told apart and asked."""
