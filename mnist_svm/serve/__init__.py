"""The web page and the JSON API: recognition over HTTP. Needs the extra ``serve``."""
