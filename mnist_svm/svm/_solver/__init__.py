"""The working-set solver of the SVM's dual problem."""

# Rows that are converted, and rows of a Gram matrix that are computed, at a time.
ROWS_PER_BLOCK = 512
