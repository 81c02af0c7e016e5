"""How single steps are done: files picked, summed up and copied; commands run."""
