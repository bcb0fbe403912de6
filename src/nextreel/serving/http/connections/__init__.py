"""The connections of the server: what a client may send, leave open and not receive."""
