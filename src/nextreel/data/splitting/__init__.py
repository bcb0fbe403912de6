"""Splitting interactions into a train part and a test part."""
