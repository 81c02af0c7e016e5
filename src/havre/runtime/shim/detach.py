"""The keys that end an attachment, found in what a client types, also when they come one by one: pure."""


class DetachKeys:
    """Filters what is typed. Bytes that may begin the keys are held back until it is clear."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """(what goes to the program, whether the keys are complete). What follows the keys is dropped."""
        keys = self._keys
        if not keys:
            return data, False
        if not self._held and keys[:1] not in data:
            return data, False
        passed = bytearray()
        for byte in data:
            while self._held and byte != keys[self._held]:
                # Not the keys after all: give back the first held byte and look for a later beginning among the rest.
                passed += keys[: self._released()]
            if byte == keys[self._held]:
                self._held += 1
                if self._held == len(keys):
                    self._held = 0
                    return bytes(passed), True
            else:
                passed.append(byte)
        return bytes(passed), False

    def _released(self) -> int:
        """Shorten what is held to its longest proper end that begins the keys; how many bytes that frees."""
        held = self._held
        for length in range(held - 1, -1, -1):
            if self._keys[:length] == self._keys[held - length : held]:
                self._held = length
                return held - length
        return 0
