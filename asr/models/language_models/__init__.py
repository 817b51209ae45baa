"""Language models: write token by token from what was written alone; one file a kind."""
