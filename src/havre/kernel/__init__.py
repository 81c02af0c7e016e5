"""The only room that makes Linux system calls: one facility a file, one thin function a call."""
