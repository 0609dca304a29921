"""The commands of `vidu`: each module adds its arguments to the parser and runs them."""
