"""Who may administer the store, and who did: API keys and the log of administrative acts."""
