"""The name server of a sandbox: names of its neighbours answered here, everything else asked elsewhere.

`message` reads questions and writes answers, `names` knows who has which address, `answers` decides, `forward` asks
other servers, `server` serves the sockets. Only the last two do I/O, in one thread of their own.
"""
