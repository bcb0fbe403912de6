"""What a server stores: interactions, impressions and API keys in a database, and model versions in a directory."""
