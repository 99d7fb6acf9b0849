"""The Redis protocol cut into whole commands and whole replies, so that a fault can hit one."""


class Frames:
    """Takes bytes in any pieces and gives back whole RESP2 values, as the bytes they came in."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        """The values that are whole now, in order."""
        self.buffer += data
        frames, at = [], 0
        while at < len(self.buffer):
            end = self._end(at)
            if end is None:
                break
            frames.append(bytes(self.buffer[at:end]))
            at = end
        del self.buffer[:at]
        return frames

    def _end(self, at):
        """Where the value that starts at `at` ends; None while it isn't whole."""
        left = 1
        while left:
            line_end = self.buffer.find(b"\r\n", at)
            if line_end < 0:
                return None
            kind, text = self.buffer[at:at + 1], self.buffer[at + 1:line_end]
            at = line_end + 2
            left -= 1
            if kind == b"$" and int(text) >= 0:
                at += int(text) + 2
                if at > len(self.buffer):
                    return None
            elif kind == b"*":
                left += max(0, int(text))
        return at


def command_name(frame):
    """b"EVALSHA" of a command's frame."""
    return frame.split(b"\r\n", 3)[2].upper() if frame.startswith(b"*") else frame[:8]
