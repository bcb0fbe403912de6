"""Models, one file or package each, and the contract that they share."""
