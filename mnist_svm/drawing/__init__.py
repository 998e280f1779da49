"""Pictures for people to look at, drawn with Pillow."""
