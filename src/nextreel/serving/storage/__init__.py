"""What the server keeps in a database and in the model directory."""
