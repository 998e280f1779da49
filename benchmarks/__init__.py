"""Every figure that is claimed has its command here."""
