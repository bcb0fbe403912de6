"""The page for people: time travel through somebody's history, being somebody new, and what the model is.

Every view is one function from the service and the address to what its template shows. All state is in the address:
nothing that a visitor does is stored.
"""
