"""How a part ends: it returns what it found, or raises one of these."""

import textwrap


class Failed(Exception):
    """The part found something wrong; the text says what."""


class NotRun(Exception):
    """The part could not run here; the text says why, and what would make it run."""


def table(results):
    """The closing table of (name, state, seconds, detail)."""
    width = max(len(name) for name, *_ in results)
    lines = [""]
    for name, state, seconds, detail in results:
        first, *more = textwrap.wrap(detail, 100) or [""]
        lines.append(f"{name:{width}}  {state:7}  {seconds:6.0f} s  {first}".rstrip())
        lines += [f"{'':{width + 20}}{line}" for line in more]
    counts = {wanted: sum(state == wanted for _, state, _, _ in results) for wanted in ("passed", "FAILED", "not run")}
    lines.append(f"\n{counts['passed']} passed, {counts['FAILED']} failed, {counts['not run']} not run")
    return "\n".join(lines)
