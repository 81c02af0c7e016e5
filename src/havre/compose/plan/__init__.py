"""What is to be done: steps with what each must wait for, computed from what is wanted and what is there; pure."""
