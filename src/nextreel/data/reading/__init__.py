"""Reading tables from CSV and Parquet, and saying exactly what is wrong with them."""
