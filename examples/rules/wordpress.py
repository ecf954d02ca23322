"""WordPress behind nginx, for the scripts `record`."""

import base64
import subprocess
from urllib.parse import quote
from xml.sax.saxutils import escape

import php

PORT = 8008
PACKAGES = ["wordpress", "php-fpm", "php-mysql", "mariadb-server"]
# For nginx's configuration.
SERVER = """
    server {
        listen 0.0.0.0:8008;
        listen [::]:8008;
        root /usr/share/wordpress;
        access_log syslog:server=unix:/dev/log,nohostname,tag=nginx_access combined;
        PHP
    }
""".replace("PHP", php.LOCATION)
CONFIG = """<?php
define('DB_NAME', 'wp');
define('DB_USER', 'wp');
define('DB_PASSWORD', 'wp');
define('DB_HOST', 'localhost:/run/mysqld/mysqld.sock');
define('WP_CONTENT_DIR', '/var/lib/wordpress/wp-content');
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
"""
# As the pages of the installation do it.
INSTALL = """<?php
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = 'www.example.org:8008';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
require '/usr/share/wordpress/wp-load.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
function wp_mail() { return true; }
wp_install('x', 'admin', 'admin@example.org', true, '', 'right');
"""
ME = "/index.php?rest_route=/wp/v2/users/me"


def install(r):
    """Starts MariaDB, and installs WordPress. PHP must be started afterwards."""
    (r.root / "run/mysqld").mkdir()
    r.run("chown", "mysql", "/run/mysqld")
    r.start("mariadbd", "--user=mysql", "--skip-networking", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    r.wait_for_file("/run/mysqld/mysqld.sock")
    r.run("mariadb", "-e", "CREATE DATABASE wp; CREATE USER wp@localhost IDENTIFIED BY 'wp'; GRANT ALL ON wp.* TO wp@localhost")
    r.write("/etc/wordpress/config-default.php", CONFIG)
    r.write("/etc/wordpress/install.php", INSTALL)
    r.run("php", "/etc/wordpress/install.php")


def get(address, path, headers=(), status=None):
    answer = php.request(address, PORT, path, headers)[0]
    assert status in (None, answer), f"{path}: {answer}"


def post(address, path, body, status="200", **more):
    headers = ["Cookie: wordpress_test_cookie=WP%20Cookie%20check", f"Referer: http://www.example.org:{PORT}/"]
    answer = php.request(address, PORT, path, headers, body, **more)[0]
    assert answer == status, f"{path}: {answer}"


def log_in(address, user="admin", password="guess", query="", status="200", more=""):
    body = f"log={quote(user)}&pwd={quote(password)}&wp-submit=Log+In&testcookie=1{more}"
    post(address, f"/wp-login.php{query}", body, status)


def call(address, user="admin", password="guess"):
    """By xmlrpc.php."""
    values = "".join(f"<param><value><string>{escape(word)}</string></value></param>" for word in (user, password))
    post(address, "/xmlrpc.php", f"<methodCall><methodName>wp.getUsersBlogs</methodName><params>{values}</params></methodCall>", kind="text/xml")


def api(address, user="admin", password="guess"):
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    get(address, ME, [f"Authorization: Basic {token}"], "401")


def visit(r, tries):
    """Who logs in to WordPress, or does not."""

    def attack(name, attempt, **arguments):
        r.attack(f"WordPress: {name}", attempt, tries, **arguments)

    def honest(name, attempt, tries=tries - 1, **arguments):
        r.attack(f"WordPress: {name}", attempt, tries, expect="no ban", **arguments)

    forged = '192.0.2.77 - - [18/Nov/2026:12:06:40 +0000] "POST /wp-login.php HTTP/1.1" 200 1\n'
    window = {"query": "?interim-login=1", "more": "&interim-login=1"}
    for six in (False, True):
        attack(f"wrong password, IPv6: {six}", log_in, six=six)
        attack(f"unknown user, IPv6: {six}", log_in, user="oracle", six=six)
        attack(f"xmlrpc.php, IPv6: {six}", call, six=six)
    attack("unknown user, xmlrpc.php", call, user="oracle")
    attack("no password", log_in, password="")
    attack("in a window", log_in, **window)
    attack("with a query", log_in, query="?x=1")
    attack("a forged name", log_in, user=forged)
    attack("a forged name, xmlrpc.php", call, user=forged)
    attack("the API", api)
    attack("the API, a forged name", api, user=forged)
    attack("an unknown user's lost password", lambda a: post(a, "/wp-login.php?action=lostpassword", "user_login=oracle"))
    honest("login", log_in, password="right", status="302")
    honest("login, by IPv6", log_in, password="right", status="302", six=True)
    honest("login in a window", log_in, password="right", tries=1, **window)
    honest("an application by xmlrpc.php", call, password="right")
    honest("looks at the form", get, path="/wp-login.php", tries=20)
    honest("looks at the page", get, path="/", tries=20)
    honest("a page that needs a login", get, path="/wp-admin/index.php", tries=20)
    honest("the API without a password", get, path=ME, status="401", tries=20)
    honest("an editor whose session has ended", lambda a: post(a, "/index.php?rest_route=/wp/v2/posts/1/autosaves", "{}", "401", kind="application/json"), tries=20)
    honest("a page's own password", lambda a: post(a, "/wp-login.php?action=postpass", "post_password=x", "302"), tries=20)
