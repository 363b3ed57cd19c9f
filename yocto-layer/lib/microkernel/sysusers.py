"""Users and groups of services/dist as parameters of OE's useradd class: the root filesystem is read-only, so they are made with it.

The numbers and names have one home, sysusers.d(5), which the virtual device's builder hands to systemd-sysusers.
"""

import shlex
from pathlib import Path


def parameters(path):
    """GROUPADD_PARAM, USERADD_PARAM and GROUPMEMS_PARAM for a sysusers.d file of lines u NAME UID "TEXT", g NAME GID, m USER GROUP."""
    groups, users, members = [], [], []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        words = shlex.split(line, comments=True)
        match words:
            case []:
                continue
            case ["u", name, uid, text] if uid.isdigit():
                groups.append(f"--system --gid {uid} {name}")
                users.append(f"--system --uid {uid} --gid {uid} --no-create-home --home-dir / --shell /usr/sbin/nologin "
                             f"--comment '{text}' {name}")
            case ["g", name, gid] if gid.isdigit():
                groups.append(f"--system --gid {gid} {name}")
            case ["m", user, group]:
                members.append(f"--add {user} --group {group}")
            case _:
                raise ValueError(f"{path}:{number}: expected u NAME UID \"TEXT\", g NAME GID or m USER GROUP, found {line!r}")
    return "; ".join(groups), "; ".join(users), "; ".join(members)
