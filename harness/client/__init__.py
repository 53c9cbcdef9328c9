"""The virtual client: a browser's EventSource and the application around it."""
