"""The page for people: time travel through a user's history, being a new user, and facts about the model.

Each view is a function that takes the service and the URL parameters and returns what its template shows. The URL holds
the whole state: nothing that a visitor does is stored.
"""
