"""What measures quality and speed: configs in, result files out, tables rendered from them."""
