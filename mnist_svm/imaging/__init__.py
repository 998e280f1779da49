"""Pictures: anything a person saved in, arrays that a classifier can use out."""
