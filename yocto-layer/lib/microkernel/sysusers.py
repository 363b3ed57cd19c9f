"""Users and groups of services/dist as parameters of OE's useradd class: the root filesystem is read-only, so they are made with it.

The numbers and names have one home, sysusers.d(5), which the virtual device's builder hands to systemd-sysusers.
"""

import shlex
from pathlib import Path


def parameters(path):
    """GROUPADD_PARAM, USERADD_PARAM and GROUPMEMS_PARAM for a sysusers.d file.

    Its lines: u NAME UID "TEXT" (with a group of its own name and number), u NAME UID:GROUP "TEXT", g NAME GID, m USER GROUP.
    """
    groups, users, members = [], [], []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        words = shlex.split(line, comments=True)
        match words:
            case []:
                continue
            case ["u", name, ids, text] if ids.split(":")[0].isdigit():
                uid, _, group = ids.partition(":")
                if not group:
                    groups.append(f"--system --gid {uid} {name}")
                users.append(f"--system --uid {uid} --gid {group or uid} --no-create-home --home-dir / --shell /usr/sbin/nologin "
                             f"--comment '{text}' {name}")
            case ["g", name, gid] if gid.isdigit():
                groups.append(f"--system --gid {gid} {name}")
            case ["m", user, group]:
                members.append(f"--add {user} --group {group}")
            case _:
                raise ValueError(f"{path}:{number}: expected u NAME UID[:GROUP] \"TEXT\", g NAME GID or m USER GROUP, found {line!r}")
    return "; ".join(groups), "; ".join(users), "; ".join(members)
