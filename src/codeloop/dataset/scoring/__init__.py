"""How hard a query is, as a model scores it; and how far such scores can be trusted."""
