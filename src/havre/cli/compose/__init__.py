"""What the verbs of `havre compose` share: the application that is meant, progress, prefixed output."""
