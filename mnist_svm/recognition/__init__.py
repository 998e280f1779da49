"""Reading digits and pages with a trained model."""
