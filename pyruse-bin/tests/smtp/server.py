"""An SMTP server for the tests: real protocol, real TLS, and answers as its directory says.

    server.py DIRECTORY PORT none|starttls|implicit [CERTIFICATE KEY [USER PASSWORD]]

It says "ready" when it listens. Every mail that it takes is a file `*.mail` in DIRECTORY/mails, every question that it
answers a line in DIRECTORY/dialogue: the answer's code and what it was about. Files in DIRECTORY, looked at anew for
each question, make it refuse:

    sender     the answer to every MAIL
    relay      the answer to every RCPT
    greylist   a number: so many recipients are asked to come back (450)
    unknown    addresses, one a line, that get a 550
    spam       a word: mails with it in their subject get a 554
    full       if it is there, mails get a 452 after they were sent
    limit      a number of bytes: larger mails get a 552
"""

import asyncio
import email
import email.policy
import logging
import os
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

# It warns of logins in the clear, which some tests are about.
logging.disable(logging.WARNING)
warnings.simplefilter("ignore")


class Behaviour:
    def __init__(self, directory):
        self.directory = directory
        self.asked = 0
        self.taken = 0

    def told(self, name):
        try:
            with open(os.path.join(self.directory, name), encoding="utf-8") as file:
                return file.read().strip()
        except FileNotFoundError:
            return None

    def answer(self, reply, about):
        with open(os.path.join(self.directory, "dialogue"), "a", encoding="utf-8") as file:
            file.write(f"{reply[:3]} {about}\n")
        return reply

    async def handle_MAIL(self, server, session, envelope, address, options):
        refusal = self.told("sender")
        if refusal:
            return self.answer(refusal, f"from {address}")
        envelope.mail_from = address
        return "250 sender ok"

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = self.told("relay")
        if refusal:
            return self.answer(refusal, address)
        self.asked += 1
        if self.asked <= int(self.told("greylist") or 0):
            return self.answer("450 4.2.0 greylisted, come back", address)
        if address in (self.told("unknown") or "").split():
            return self.answer("550 5.1.1 no such user", address)
        envelope.rcpt_tos.append(address)
        return self.answer("250 recipient ok", address)

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.SMTP)
        identity = mail["Message-ID"]
        spam = self.told("spam")
        if spam and spam in mail["Subject"]:
            return self.answer("554 5.7.1 this is spam", identity)
        if self.told("full") is not None:
            return self.answer("452 4.3.1 the disk is full", identity)
        self.taken += 1
        name = os.path.join(self.directory, "mails", f"{os.getpid()}.{self.taken}")
        with open(name, "wb") as file:
            secured = "tls" if server.transport.get_extra_info("cipher") else "clear"
            user = session.auth_data.login.decode() if session.authenticated else "nobody"
            file.write(f"X-Session: {secured} {user} {session.host_name}\n".encode())
            for recipient in envelope.rcpt_tos:
                file.write(f"X-Recipient: {recipient}\n".encode())
            file.write(envelope.content.replace(b"\r\n", b"\n"))
        os.rename(name, name + ".mail")
        return self.answer("250 taken", identity)


async def serve(directory, port, tls, certificate=None, key=None, user=None, password=None):
    context = None
    if tls != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    behaviour = Behaviour(directory)

    def authenticate(server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and data == LoginPassword(user.encode(), password.encode())
        behaviour.answer("235 login" if good else "535 login", mechanism)
        return AuthResult(success=good, handled=good, auth_data=data)

    def session():
        return SMTP(
            behaviour,
            data_size_limit=int(behaviour.told("limit") or 0) or None,
            hostname="localhost",
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            auth_required=user is not None,
            auth_require_tls=tls == "starttls",
            authenticator=authenticate if user is not None else None,
        )

    listener = await asyncio.get_running_loop().create_server(
        session, "127.0.0.1", int(port), ssl=context if tls == "implicit" else None
    )
    print("ready", flush=True)
    await listener.serve_forever()


asyncio.run(serve(*sys.argv[1:]))
