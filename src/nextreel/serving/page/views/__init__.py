"""What each view shows, as plain values for its template; everything in it was answered by the engine."""
