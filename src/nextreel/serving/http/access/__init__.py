"""Who gets in: hosts and origins, API keys and their limits, and the headers of trusted proxies."""
