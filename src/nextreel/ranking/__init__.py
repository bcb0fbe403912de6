"""From scores to lists: seen movies, release dates, top-k, and saving the whole."""
