"""Forms and tables: fields of many pages, into one CSV file, corrected by a person."""
