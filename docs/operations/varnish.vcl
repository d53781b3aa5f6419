# Varnish 7 as a shield in front of `segue serve`; tests/cdn runs this very file.
#
#     apt-get install varnish varnish-modules
#     varnishd -a :80 -f /etc/varnish/segue.vcl -s malloc,8g -p http_gzip_support=off
#
# http_gzip_support=off: the origin codes by itself, in brotli too; Varnish keeps each coding as it came, by Vary.
#
# To purge by key, from an address in `purgers` (keys: docs/http-contract.md):
#
#     curl -X PURGE -H 'Surrogate-Key: track-…' http://127.0.0.1/                   gone at once
#     curl -X PURGE -H 'Surrogate-Key: track-…' -H 'Soft-Purge: 1' http://127.0.0.1/  asked for anew, stale if that fails
#
# It checks no tokens: it leaves `/t/{token}` and queries out of its keys and passes them on when it asks the origin. With
# `auth = edge` let a CDN that does check stand before it; with `auth = token` the origin lets it keep nothing.
vcl 4.1;

import std;
import xkey;

backend origin {
    .host = "127.0.0.1";
    .port = "8080";
    .connect_timeout = 1s;
    .first_byte_timeout = 12s;  # the origin answers within its own deadline of 8 s
    .between_bytes_timeout = 10s;
    # No probe: with one origin, what it holds is better than nothing, whatever /readyz says.
}

# The one that has the listeners' file (docs/operations.md, Many origins, one bucket); with a single origin, or where
# listeners' data is in PostgreSQL, any.
backend home {
    .host = "127.0.0.1";
    .port = "8080";  # home
    .connect_timeout = 1s;
    .first_byte_timeout = 12s;
    .between_bytes_timeout = 10s;
}

acl purgers {
    "127.0.0.1";
    "::1";
}

sub vcl_recv {
    if (req.method == "PURGE") {
        return (synth(200, "purge"));
    }
    if (req.restarts > 0) {
        return (hash);  # only for what is stale; see vcl_synth
    }
    unset req.http.X-Only-Stale;
    # The key: the path without a token in front, which ends where its HMAC does, and without a query but for the API's.
    set req.http.X-Key = regsub(req.url, "^/t/([^?]*?~hmac=[0-9A-Fa-f]+|[^/?]+)(/|$)", "/");
    if (req.http.X-Key !~ "^/api/") {
        set req.http.X-Key = regsub(req.http.X-Key, "\?.*$", "");
    }
    if (req.http.X-Key == "/metrics") {
        return (synth(404));  # for Prometheus, which asks the origin itself
    }
    if (req.http.X-Key ~ "^/((api|rest|playlists|my-[a-z]+)/|stations/playlist-)") {
        set req.backend_hint = home;
    }
    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    # Those of /rest/ differ by their queries and are for who asks, and so are /my-playlists/ and /my-mixes/ by a header.
    if (req.http.X-Key ~ "^/(keys/|rest/|my-[a-z]+/|healthz$|readyz$)") {
        return (pass);
    }
    # Who sends a listener's key may get an answer of its own. (Rate limits: segue serve --proxies 1.)
    if (req.http.X-Key ~ "^/api/" && req.http.Authorization) {
        return (pass);
    }
    # One of three, so that there are three copies at most.
    if (req.http.Accept-Encoding ~ "(?i)(^|[,\s])br(?!\s*;\s*q=0(\.0*)?\s*(,|$))\s*(;|,|$)") {
        set req.http.Accept-Encoding = "br";
    } elseif (req.http.Accept-Encoding ~ "(?i)(^|[,\s])(x-)?gzip(?!\s*;\s*q=0(\.0*)?\s*(,|$))\s*(;|,|$)") {
        set req.http.Accept-Encoding = "gzip";
    } else {
        unset req.http.Accept-Encoding;
    }
    # stale-while-revalidate: how long what is stale is sent while the new one is fetched. Cookies are no reason to pass.
    if (req.http.X-Key ~ "^/api/") {
        set req.grace = 30s;
    } else {
        set req.grace = 60s;
    }
    return (hash);
}

sub vcl_hash {
    hash_data(req.http.X-Key);
    return (lookup);
}

sub vcl_miss {
    if (req.http.X-Only-Stale) {
        return (synth(503));
    }
}

sub vcl_backend_fetch {
    unset bereq.http.X-Key;
}

sub vcl_backend_response {
    if (beresp.status >= 500 && !bereq.uncacheable) {
        return (abandon);  # kept for nobody, and what is stale stays; see vcl_synth
    }
    # CDN-Cache-Control (RFC 9213) before Cache-Control.
    set beresp.http.X-Kept = beresp.http.Cache-Control;
    if (beresp.http.CDN-Cache-Control) {
        set beresp.http.X-Kept = beresp.http.CDN-Cache-Control;
    }
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    if (beresp.http.X-Kept ~ "no-store|private" || beresp.http.X-Kept !~ "max-age=[0-9]+") {
        set beresp.ttl = 0s;
    } else {
        set beresp.ttl = std.duration(regsub(beresp.http.X-Kept, "^.*?max-age=([0-9]+).*$", "\1s"), 0s) - beresp.age;
        if (beresp.http.X-Kept ~ "stale-if-error=[0-9]+") {
            set beresp.grace = std.duration(regsub(beresp.http.X-Kept, "^.*stale-if-error=([0-9]+).*$", "\1s"), 0s);
        }
    }
    unset beresp.http.X-Kept;
    set beresp.http.xkey = beresp.http.Surrogate-Key;
    return (deliver);
}

sub vcl_backend_error {
    return (abandon);
}

sub vcl_deliver {
    unset resp.http.xkey;
    # RFC 9211: after what the origin says of itself.
    if (obj.hits > 0) {
        set resp.http.X-Status = "shield; hit; ttl=" + std.integer(duration=obj.ttl);
    } elseif (obj.uncacheable) {
        set resp.http.X-Status = "shield; fwd=bypass";
    } else {
        set resp.http.X-Status = "shield; fwd=miss";
    }
    if (resp.http.Cache-Status) {
        set resp.http.Cache-Status = resp.http.Cache-Status + ", " + resp.http.X-Status;
    } else {
        set resp.http.Cache-Status = resp.http.X-Status;
    }
    unset resp.http.X-Status;
}

sub vcl_synth {
    if (req.method == "PURGE") {
        if (client.ip !~ purgers) {
            set resp.status = 403;
        } elseif (!req.http.Surrogate-Key) {
            set resp.status = 400;
        } elseif (req.http.Soft-Purge) {
            set resp.http.Purged = xkey.softpurge(req.http.Surrogate-Key);
        } else {
            set resp.http.Purged = xkey.purge(req.http.Surrogate-Key);
        }
        return (deliver);
    }
    # stale-if-error: the origin failed; look again, now for what is stale for as long as the contract lets it be.
    if (resp.status == 503 && req.restarts == 0 && (req.method == "GET" || req.method == "HEAD")) {
        set req.http.X-Only-Stale = "1";
        set req.grace = 100d;  # as long as the object has
        return (restart);
    }
    if (resp.status == 404) {
        return (deliver);
    }
    set resp.http.Content-Type = "application/json";
    set resp.http.Cache-Control = "no-store";
    set resp.http.Retry-After = "2";
    set resp.http.Access-Control-Allow-Origin = "*";
    synthetic("""{"error": "origin-unavailable"}
""");
    return (deliver);
}
