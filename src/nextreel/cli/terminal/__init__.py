"""What the commands share: parsing of options, progress bars, and tables for a terminal."""
