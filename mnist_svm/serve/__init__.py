"""HTTP server: a web page and a JSON API for recognition. Needs the extra ``serve``."""
