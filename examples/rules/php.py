"""Applications in PHP behind nginx, for the scripts `record`."""

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
