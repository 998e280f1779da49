"""The working-set solver of the SVM's dual problem."""
