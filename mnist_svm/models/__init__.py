"""Recipes, their pipelines, and model files."""
