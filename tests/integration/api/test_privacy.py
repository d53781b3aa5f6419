"""What belongs to a listener is in no log, no metric and no URL; and what was searched for is in no log either."""

import json
import urllib.error
import urllib.request

from tests.integration.api.conftest import Api

SECRET_WORD = "zwiebelkuchen"


def _ask(api: Api, method: str, path: str, headers: dict[str, str]) -> bytes:
    """The body, of an error too."""
    request = urllib.request.Request(api.url + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return bytes(refused.read())


def test_no_log_line_and_no_metric_has_a_listener(api: Api) -> None:
    """Whatever a listener asks, by its own key, a replaced one, or one that is none; errors and all; with log lines as
    talkative as they can be set."""
    made = json.loads(_ask(api, "POST", "/api/v1/listeners", {}))
    new = json.loads(_ask(api, "POST", "/api/v1/listeners/me/key", {"Authorization": f"Bearer {made['key']}"}))
    keys = [made["key"], new["key"], "sk_nobodys-key-at-all"]
    for key in keys:
        proof = {"Authorization": f"Bearer {key}"}
        for path, methods in api.document["paths"].items():
            for method in {"get", "post", "put", "patch", "trace"} | (set(methods) - {"delete"}):
                _ask(api, method.upper(), path.replace("{", "").replace("}", ""), proof)
    _ask(api, "GET", f"/api/v1/search?q={SECRET_WORD}", {})
    metrics = _ask(api, "GET", "/metrics", {}).decode()
    log = api.log.read_text()
    assert '"url_path": "/api/v1/listeners/me"' in log and "segue_requests_total" in metrics
    for told in (*keys, *(key.removeprefix("sk_") for key in keys), made["listener_id"], SECRET_WORD):
        assert told not in log and told not in metrics


def test_no_url_names_a_listener(api: Api) -> None:
    """Neither in a path nor as a parameter: who asks is in the key alone."""
    for path, methods in api.document["paths"].items():
        named = [path, *(each["name"] for method in methods.values() for each in method["parameters"])]
        assert not any("listener_id" in each or "key" in each.split("_") for each in named)
