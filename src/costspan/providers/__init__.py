"""Who is paid and how to get there: address, headers, signature."""
