"""Build the data set ``styles``: digits as they are taught and written in many countries."""
