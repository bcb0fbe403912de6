"""Protocols, metrics and intervals: how good are the answers?"""
