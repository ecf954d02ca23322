#!/usr/bin/env python3
"""Keys and streams of a fleet. It needs `pip install nats-py nkeys`.

    fleet.py keys web-1 web-2 …    makes a key for each host, and for `aggregator` and `admin` if they have none
    fleet.py certificates SERVER … makes a certificate for each server of the broker, by its name or address: with openssl
    fleet.py streams SERVER …      creates the streams, or changes them to what is written here

All work in the directory `keys`:

    NAME.nk                      a secret, for the machine of that name only (mode 600, owner pyruse)
    HOSTS.conf, FLEET.conf       for the servers: the public keys, and what each may do
    ca.pem                       for all machines
    SERVER.pem, SERVER-key.pem   for that server
    ca-key.pem                   a secret for nobody: who has it can make certificates
"""

import asyncio
import ipaddress
import os
import re
import ssl
import subprocess
import sys
from pathlib import Path

KEYS = Path("keys")

# What the users of the account FLEET may do. The aggregator reads failures and publishes bans.
FLEET = {
    "admin": (["$JS.API.>"], ["inbox.admin.>"]),
    "aggregator": (
        ["ban.>", "$JS.API.STREAM.INFO.FAIL", "$JS.API.CONSUMER.CREATE.FAIL.>", "$JS.API.CONSUMER.MSG.NEXT.FAIL.>"],
        ["inbox.aggregator.>"],
    ),
}


def of_host(name):
    """A host says what has failed there, and reads the bans. Nobody else reads the answers that it gets."""
    requests = ["STREAM.INFO.BAN", "CONSUMER.CREATE.BAN.>", "CONSUMER.MSG.NEXT.BAN.>"]
    return [f"fail.{name}.>"] + [f"fleet.{request}" for request in requests], [f"inbox.{name}.>"]


def public_key(name):
    """Returns the public key of a user; makes a key if there is none."""
    import nkeys

    path = KEYS / f"{name}.nk"
    if not path.exists():
        seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        with open(path, "xb", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
            file.write(seed + b"\n")
    return nkeys.from_seed(bytearray(path.read_bytes().strip())).public_key.decode()


def user(name, permissions):
    publish, subscribe = ("[" + ", ".join(f'"{subject}"' for subject in subjects) + "]" for subjects in permissions)
    return (
        f"    # {name}\n    {{nkey: {public_key(name)}, permissions: {{\n"
        f"        publish: {{allow: {publish}}}\n        subscribe: {{allow: {subscribe}}}}}}}\n"
    )


def write(account, users):
    new = KEYS / f".{account}.conf"
    new.write_text("users: [\n" + "".join(user(name, users[name]) for name in sorted(users)) + "]\n")
    new.rename(KEYS / f"{account}.conf")


def keys(names):
    KEYS.mkdir(mode=0o700, exist_ok=True)
    for name in names:
        # One token of a subject.
        if not re.fullmatch("[A-Za-z0-9_-]{1,63}", name) or name in FLEET:
            sys.exit(f"fleet.py: the name of a host has letters, digits, `-` and `_`: not `{name}`")
    known = {path.stem for path in KEYS.glob("*.nk")} - set(FLEET)
    write("HOSTS", {name: of_host(name) for name in known | set(names)})
    write("FLEET", FLEET)


def certificates(servers):
    KEYS.mkdir(mode=0o700, exist_ok=True)

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=KEYS, check=True, capture_output=True)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    if not (KEYS / "ca.pem").exists():
        openssl("req", "-x509", *new_key, "-days", "3650", "-subj", "/CN=fleet", "-keyout", "ca-key.pem", "-out", "ca.pem")
    for server in servers:
        try:
            kind = f"IP:{ipaddress.ip_address(server)}"
        except ValueError:
            kind = f"DNS:{server}"
        openssl("req", *new_key, "-subj", f"/CN={server}", "-addext", f"subjectAltName={kind}",
                "-keyout", f"{server}-key.pem", "-out", "request.pem")
        openssl("x509", "-req", "-days", "3650", "-in", "request.pem", "-copy_extensions", "copy",
                "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-out", f"{server}.pem")
        (KEYS / "request.pem").unlink()


async def streams(servers):
    import nats
    from nats.js.api import StreamConfig, StreamConsumerLimits
    from nats.js.errors import NotFoundError

    day, mib = 86_400, 1024 * 1024
    client = await nats.connect(
        servers, tls=ssl.create_default_context(cafile=str(KEYS / "ca.pem")), nkeys_seed=str(KEYS / "admin.nk"), inbox_prefix="inbox.admin",
    )
    jetstream = client.jetstream()
    replicas = min(3, len(servers))
    common = {"num_replicas": replicas, "storage": "file", "retention": "limits", "discard": "old", "duplicate_window": 120}
    wanted = [
        # What the aggregator has not read after two days is lost, and Pyruse says so.
        StreamConfig(
            name="FAIL", subjects=["fail.>"], max_age=2 * day, max_bytes=1024 * mib, max_msg_size=16 * 1024,
            max_consumers=10, **common,
        ),
        # The newest word about each address, as long as the longest ban: a new host reads the bans that are in force.
        # Each host has one consumer.
        StreamConfig(
            name="BAN", subjects=["ban.>"], max_age=31 * day, max_bytes=256 * mib, max_msg_size=1024,
            max_msgs_per_subject=1, max_consumers=10_000,
            consumer_limits=StreamConsumerLimits(inactive_threshold=300), **common,
        ),
    ]
    for config in wanted:
        try:
            await jetstream.stream_info(config.name)
        except NotFoundError:
            await jetstream.add_stream(config)
        else:
            await jetstream.update_stream(config)
        print(f"{config.name}: {replicas} replicas")
    await client.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["keys", *names]:
            keys(names)
        case ["certificates", server, *more]:
            certificates([server, *more])
        case ["streams", server, *more]:
            asyncio.run(streams([server, *more]))
        case _:
            sys.exit(__doc__)
