"""Reading tables from CSV and Parquet files, with exact messages about malformed ones."""
