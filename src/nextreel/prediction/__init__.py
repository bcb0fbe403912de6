"""A fitted model beside the interactions it answers from: queries in, lists out; saved and loaded."""
