"""The smallest program that says something: an ELF file whose only segment is header, code and text (elf(5)).

It makes two system calls, write(1, text, length) and exit_group(0), and needs no library, no loader, no stack.
"""

import struct

_BASE = 0x400000
_FILE_HEADER = struct.Struct("<4sBBBBB7xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_CODE_AT = _FILE_HEADER.size + _SEGMENT.size
_MACHINES = {"amd64": 62, "arm64": 183}  # EM_X86_64, EM_AARCH64
_PAGE = {"amd64": 0x1000, "arm64": 0x10000}


def can_write_for(architecture: str) -> bool:
    """Whether `program` knows the machine code of *architecture* (Go's name for it)."""
    return architecture in _MACHINES


def program(architecture: str, text: bytes) -> bytes:
    """A static executable for Linux that prints *text* and ends with 0."""
    length = len(_code(architecture, 0, 0))
    address = _BASE + _CODE_AT + length
    body = _code(architecture, address, len(text)) + text
    size = _CODE_AT + len(body)
    header = _FILE_HEADER.pack(
        b"\x7fELF",
        2,  # 64 bits
        1,  # little-endian
        1,  # version
        0,  # System V
        0,
        2,  # ET_EXEC
        _MACHINES[architecture],
        1,
        _BASE + _CODE_AT,
        _FILE_HEADER.size,
        0,
        0,
        _FILE_HEADER.size,
        _SEGMENT.size,
        1,
        0,
        0,
        0,
    )
    # PT_LOAD, readable and executable
    segment = _SEGMENT.pack(1, 5, 0, _BASE, _BASE, size, size, _PAGE[architecture])
    return header + segment + body


def _code(architecture: str, address: int, length: int) -> bytes:
    return _amd64(address, length) if architecture == "amd64" else _arm64(address, length)


def _amd64(address: int, length: int) -> bytes:
    return b"".join(
        (
            b"\xb8" + struct.pack("<I", 1),  # mov eax, write
            b"\xbf" + struct.pack("<I", 1),  # mov edi, 1
            b"\xbe" + struct.pack("<I", address),  # mov esi, text
            b"\xba" + struct.pack("<I", length),  # mov edx, length
            b"\x0f\x05",  # syscall
            b"\xb8" + struct.pack("<I", 231),  # mov eax, exit_group
            b"\x31\xff",  # xor edi, edi
            b"\x0f\x05",  # syscall
        )
    )


def _arm64(address: int, length: int) -> bytes:
    words = (
        *_load(0, 1),
        *_load(1, address),
        *_load(2, length),
        *_load(8, 64),  # write
        0xD4000001,  # svc #0
        *_load(0, 0),
        *_load(8, 94),  # exit_group
        0xD4000001,
    )
    return struct.pack(f"<{len(words)}I", *words)


def _load(register: int, value: int) -> tuple[int, int]:
    """The pair movz and movk: *value*, of 32 bits, into x*register*."""
    low = 0xD2800000 | (value & 0xFFFF) << 5 | register
    high = 0xF2A00000 | (value >> 16) << 5 | register
    return low, high
