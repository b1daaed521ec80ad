"""From an activation's definition to the source of its compiled kernel, with SymPy."""
