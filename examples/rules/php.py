"""Applications in PHP behind nginx, for the scripts `record`."""

from recording import From

# Of a server in nginx's configuration.
LOCATION = """
        index index.php;
        location ~ \\.php(/|$) {
            fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
            include fastcgi_params;
            fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
            fastcgi_param PATH_INFO $fastcgi_path_info;
            fastcgi_pass unix:/run/php.sock;
        }
"""
POOL = """[www]
user = www-data
group = www-data
listen = /run/php.sock
listen.owner = www-data
pm = static
pm.max_children = 8
catch_workers_output = yes
php_admin_flag[opcache.enable] = on
"""


def start(r):
    """Starts PHP's server."""
    (version,) = (r.root / "etc/php").iterdir()
    for other in version.glob("fpm/pool.d/*.conf"):
        other.unlink()
    r.write(f"/etc/php/{version.name}/fpm/pool.d/www.conf", POOL)
    (r.root / "run/php").mkdir()
    stream = r.journal_stream("php-fpm")
    r.start(f"php-fpm{version.name}", "-F", stdout=stream, stderr=stream)
    r.wait_for_file("/run/php.sock")


def request(address, port, path, headers=(), body=None, kind="application/x-www-form-urlencoded"):
    """One request on its own connection, a POST if there is a body; returns the status, and the answer."""
    host = [] if any(header.startswith("Host:") for header in headers) else [f"Host: www.example.org:{port}"]
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", *host, "User-Agent: Mozilla/5.0", *headers, "Connection: close"]
    if body is not None:
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    with From(address, port, timeout=120) as connection:
        connection.send("\r\n".join(lines) + "\r\n\r\n" + (body or ""))
        answer = connection.file.read().decode(errors="replace")
    return answer.split()[1], answer
