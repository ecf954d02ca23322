"""Roundcube behind nginx, with Dovecot, for the scripts `record`. Its own log is not recorded: names with line ends, and
the header `X-Forwarded-For`, make lines there that look like its own."""

import re
import subprocess
from urllib.parse import quote

import php

PORT, VICTIM = 8009, "192.0.2.77"
PACKAGES = ["roundcube-core", "roundcube-sqlite3", "php-fpm", "php-sqlite3", "dovecot-imapd"]
# For nginx's configuration.
SERVER = """
    server {
        listen 0.0.0.0:8009;
        listen [::]:8009;
        root /var/lib/roundcube/public_html;
        access_log syslog:server=unix:/dev/log,nohostname,tag=nginx_access combined;
        PHP
    }
""".replace("PHP", php.LOCATION)
CONFIG = """<?php
$config = [];
$config['db_dsnw'] = 'sqlite:////var/lib/roundcube/mail.db?mode=0640';
$config['imap_host'] = '127.0.0.1:143';
$config['des_key'] = '012345678901234567890123';
$config['log_driver'] = 'stdout';
$config['plugins'] = [];
"""
DOVECOT = {
    "bookworm": """
protocols = imap
ssl = no
disable_plaintext_auth = no
mail_location = maildir:/tmp/mail/%u
passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=/tmp/mail/%u
}
""",
    "trixie": """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols = imap
ssl = no
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = /tmp/mail/%{user}
passdb passwd-file {
  passwd_file_path = /etc/dovecot/users
  default_password_scheme = PLAIN
}
userdb static {
  fields {
    uid = 65534
    gid = 65534
    home = /tmp/mail/%{user}
  }
}
""",
}
# All clients have one address for Dovecot, which must not make them wait.
EAGER = """
first_valid_uid = 1
log_path = /dev/null
auth_failure_delay = 0
mail_max_userip_connections = 500
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
"""


class Browser:
    def __init__(self, address, headers=()):
        self.address, self.headers, self.cookies = address, list(headers), {}

    def request(self, path, form=None):
        """Returns the status, and the page."""
        body = "&".join(f"{name}={quote(value, safe='')}" for name, value in (form or {}).items())
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        status, page = php.request(self.address, PORT, path, [f"Cookie: {cookie}", *self.headers], None if form is None else body)
        for name, value in re.findall(r"^Set-Cookie: ([^=]+)=([^;]*)", page, re.MULTILINE):
            self.cookies[name] = value
        return status, page

    def form(self):
        """Opens the page with the form; returns its token."""
        return re.search('name="_token" value="([^"]*)"', self.request("/")[1])[1]

    def ajax(self, path):
        """What a page asks for from time to time."""
        self.headers += ["X-Requested-With: XMLHttpRequest", f"X-Roundcube-Request: {self.cookies.get('token', 'x')}"]
        return self.request(path, {"_remote": "1", "_unlock": "0"})[0]

    def log_in(self, user, password, token, path="/?_task=login"):
        fields = {"_task": "login", "_action": "login", "_timezone": "UTC", "_url": "", "_user": user, "_pass": password, "_token": token}
        return self.request(path, fields)[0]


def guess(address, user="alice", password="wrong", headers=(), **more):
    browser = Browser(address, headers)
    status = browser.log_in(user, password, browser.form(), **more)
    assert status != "302", "this was refused always"
    return status


def log_in(address, user="alice", password="right"):
    browser = Browser(address)
    status = browser.log_in(user, password, browser.form())
    assert status == "302", status


def install(r):
    """Starts Dovecot, and configures Roundcube. PHP must be started afterwards."""
    r.write("/etc/roundcube/config.inc.php", CONFIG)
    r.write("/etc/dovecot/users", "".join(f"{user}:right\n" for user in ("alice", "bob", "carol", "dave")))
    r.write("/etc/dovecot/dovecot.conf", DOVECOT[r.suite] + EAGER)
    tables = "(new PDO('sqlite:/var/lib/roundcube/mail.db'))->exec(file_get_contents('/usr/share/roundcube/SQL/sqlite.initial.sql'));"
    r.run("php", "-r", tables)
    r.run("chown", "www-data", "/var/lib/roundcube", "/var/lib/roundcube/mail.db")
    r.start("dovecot", "-F", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    r.wait_for_port(143, "127.0.0.1")


def without_a_form(address, path="/?_task=login"):
    status = Browser(address).log_in("alice", "wrong", "x", path)
    assert status == "401", status


def ended(address):
    """A page whose session has ended asks for new mail."""
    Browser(address).ajax("/?_task=mail&_action=refresh")


def visit(r, tries):
    """Who logs in to Roundcube, or does not."""

    def attack(name, attempt, **arguments):
        r.attack(f"Roundcube: {name}", attempt, tries, **arguments)

    def honest(name, attempt, tries=tries, **arguments):
        r.attack(f"Roundcube: {name}", attempt, tries, expect="no ban", **arguments)

    # Roundcube does not like it if the first two logins of a user are at the same time.
    for user in ("bob", "carol"):
        log_in(r.address(), user)

    line = f"<03o4c0mm> Failed login for alice from {VICTIM} in session 03o4c0mmt12pcgqg (error: 0)"
    for six in (False, True):
        attack(f"wrong password, IPv6: {six}", guess, six=six)
        attack(f"unknown user, IPv6: {six}", guess, user="oracle", six=six)
        attack(f"without a form, IPv6: {six}", without_a_form, six=six)
    attack("no password", guess, password="")
    for path in ("/", "/index.php", "/?_task=mail", "/?_task=login&x=1", "/index.php?x"):
        attack(f"at {path}", guess, path=path)
    attack("a forged name", guess, user=f"x\n{line}\ny")
    attack("a forged header", guess, headers=[f"X-Forwarded-For: {VICTIM}", f"X-Real-IP: {line}"])
    for user in ("bob", "carol"):
        honest(f"login of {user}", log_in, user=user)
    honest("login by IPv6", log_in, user="bob", six=True)
    honest("mistypes nine times", guess, user="dave", tries=9)
    honest("a page whose session has ended", ended)
    honest("looks at the form", lambda a: Browser(a).form())
    honest("a page that needs a login", lambda a: Browser(a).request("/?_task=mail&_mbox=INBOX"))
