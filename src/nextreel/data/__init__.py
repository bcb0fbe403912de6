"""Tables, readers, the as-of timeline and splits."""
