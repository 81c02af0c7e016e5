"""Havre and the reference engine, interleaved in one run; every figure is a ratio to the reference."""
