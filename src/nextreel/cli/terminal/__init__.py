"""What the commands share: parsing options, progress, and tables for a terminal."""
