"""The few words that every room uses: errors, ids, clock, tasks, atomic files, careful numbers."""
