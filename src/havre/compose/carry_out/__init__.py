"""Carries plans out: steps on threads as soon as what they wait for is done, each with a connection of its own."""
