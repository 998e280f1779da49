"""Training of recipes on data sets."""
