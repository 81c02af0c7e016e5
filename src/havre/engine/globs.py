"""Shell patterns as Go's path.Match has them: `*` and `?` stay within one part of a path. Never slow."""


def matches(pattern: str, text: str) -> bool:
    """Whether *pattern* fits all of *text*; part by part between the slashes."""
    wanted, given = pattern.split("/"), text.split("/")
    return len(wanted) == len(given) and all(_part(one, other) for one, other in zip(wanted, given, strict=True))


def _part(pattern: str, text: str) -> bool:
    """The usual two-pointer walk: on a mismatch the last star takes one character more."""
    pieces = _pieces(pattern)
    at = position = 0
    star, mark = -1, 0
    while position < len(text):
        if at < len(pieces) and pieces[at] == "*":
            star, mark = at, position
            at += 1
        elif at < len(pieces) and _fits(pieces[at], text[position]):
            at += 1
            position += 1
        elif star >= 0:
            mark += 1
            at, position = star + 1, mark
        else:
            return False
    return all(piece == "*" for piece in pieces[at:])


def _pieces(pattern: str) -> list[str]:
    """Each star, each class with its brackets, each other character (behind a backslash with it)."""
    pieces: list[str] = []
    position = 0
    while position < len(pattern):
        end = position + 1
        if pattern[position] == "[":
            closing = pattern.find("]", position + 2)
            end = closing + 1 if closing > 0 else end
        elif pattern[position] == "\\" and end < len(pattern):
            end += 1
        pieces.append(pattern[position:end])
        position = end
    return pieces


def _fits(piece: str, character: str) -> bool:
    if piece == "?":
        return True
    if len(piece) == 2 and piece[0] == "\\":
        return piece[1] == character
    if piece[0] != "[" or len(piece) < 3:
        return piece == character
    body = piece[1:-1]
    negated = body[:1] == "^"
    body = body[1:] if negated else body
    inside, position = False, 0
    while position < len(body):
        if body[position + 1 : position + 2] == "-" and position + 2 < len(body):
            inside = inside or body[position] <= character <= body[position + 2]
            position += 3
        else:
            inside = inside or body[position] == character
            position += 1
    return inside != negated
