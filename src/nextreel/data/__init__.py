"""Data sets: tables and their readers, the timeline of interactions, and splits."""
