"""A dataset as it is given to others: forms of rows, a folder, a data card, plots, a viewer."""
