"""Random edits of programs, as somebody types them: most inside functions, some that break the syntax."""

from __future__ import annotations

import random
import re

LINES = (
    "pass",
    "x = 1",
    "import math",
    "with torch.no_grad(): pass",
    "model = None",
    "loss = loss * 2",
    "y = x.detach()",
    "return None",
    "x.requires_grad_()",
    "torch.set_grad_enabled(False)",
    "print(loss.item())",
    "global model",
    "x = [x]",
)


def edited(text: str, chance: random.Random) -> str:
    """The text after one edit."""
    lines = text.split("\n")
    code = [number for number, line in enumerate(lines) if line.strip() and not line.strip().startswith("#")]
    if not code:
        return text + "x = 1\n"
    number = chance.choice(code)
    line = lines[number]
    blanks = line[: len(line) - len(line.lstrip())]
    names = re.findall(r"\b[a-z_]\w*\b", line)
    match chance.randrange(12):
        case 0:
            lines.insert(number, "")
        case 1:
            lines.insert(number, f"{blanks}# a note")
        case 2:
            del lines[number]
        case 3:
            lines.insert(number, line)
        case 4 if ".detach()" in line:
            lines[number] = line.replace(".detach()", "")
        case 4:
            lines[number] = re.sub(r"(= [\w.]+\([^()]*\))$", r"\1.detach()", line)
        case 5 if names:
            name = chance.choice(names)
            lines[number] = re.sub(rf"\b{name}\b", f"{name}_", line)
        case 6 if names:
            name = chance.choice(names)
            return re.sub(rf"\b{name}\b", f"{name}q", text)
        case 7:
            lines.insert(number, blanks + chance.choice(LINES))
        case 8:
            lines[number] = f"{line}  # a note"
        case 9:
            other = chance.choice(code)
            lines[number], lines[other] = lines[other], lines[number]
        case 10:
            lines[number] = re.sub(r"\d+", lambda found: str(int(found[0]) + 1), line, count=1)
        case _:
            lines[number] = line + chance.choice(("(", ")", " +", '"', "."))
    return "\n".join(lines)
