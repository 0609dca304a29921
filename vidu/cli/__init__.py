"""What a shell can ask for: each module adds its own words to the parser and runs them."""
