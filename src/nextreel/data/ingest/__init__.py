"""Partitioned data: interactions of any size in Parquet; files are added to them, and users are erased from them."""
