"""What the store holds of one person: handing it out, erasing it, and staying sure of that without naming anybody."""
