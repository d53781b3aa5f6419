#!/usr/bin/env bash
# A minimal Ceph cluster with its S3 gateway on loopback, as a second implementation for the contract suite:
#
#     apt-get install radosgw ceph-mon ceph-osd
#     scripts/ceph_rgw.sh .venv/bin/python -m pytest -n 2 tests/contract
#
# Runs the command given with TEST_S3_* set, and ends the cluster after it. One monitor, one OSD that keeps its
# objects in memory, no authentication inside the cluster: for tests only. Ports 26789 to 26791 must be free.
set -euo pipefail

[[ $# -gt 0 ]] || { echo "usage: $0 COMMAND..." >&2; exit 2; }
dir=$(mktemp -d /tmp/rgw-XXXXXX)
pids=()
finish() {
    kill -KILL "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

export CEPH_CONF=$dir/ceph.conf
fsid=$(cat /proc/sys/kernel/random/uuid)
cat > "$CEPH_CONF" <<CONF
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:26789,v1:127.0.0.1:26790]
public addr = 127.0.0.1
ms bind msgr2 = true
keyring = $dir/keyring
run dir = $dir
admin socket =
log file = $dir/\$name.log
mon data = $dir/mon
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 3221225472
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 1
rgw data = $dir/rgw
rgw frontends = beast endpoint=127.0.0.1:26791
CONF
mkdir "$dir/mon" "$dir/osd" "$dir/rgw"

ceph-authtool --create-keyring "$dir/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
ceph-authtool "$dir/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' >/dev/null
monmaptool --create --fsid "$fsid" --addv a '[v2:127.0.0.1:26789,v1:127.0.0.1:26790]' "$dir/monmap" >/dev/null
ceph-mon -i a --mkfs --monmap "$dir/monmap" --keyring "$dir/keyring"
ceph-mon -i a -f 2>"$dir/mon.err" & pids+=($!)
timeout 30 ceph auth get-or-create osd.0 mon 'allow profile osd' osd 'allow *' >> "$dir/keyring"
osd_uuid=$(cat /proc/sys/kernel/random/uuid)
timeout 30 ceph osd new "$osd_uuid" >/dev/null
ceph-osd -i 0 --mkfs --osd-uuid "$osd_uuid" 2>"$dir/mkfs.err"
ceph-osd -i 0 -f 2>"$dir/osd.err" >/dev/null & pids+=($!)
radosgw -n client.admin --keyring="$dir/keyring" -f 2>"$dir/rgw.err" & pids+=($!)

export TEST_S3_URL='s3://segue/?endpoint=http://127.0.0.1:26791'
export TEST_S3_ACCESS_KEY=segue-tests TEST_S3_SECRET_KEY=a-secret-for-tests-only
export TEST_S3_READER_ACCESS_KEY=segue-reader TEST_S3_READER_SECRET_KEY=another-secret-for-tests-only
timeout 60 radosgw-admin user create --uid=segue --display-name=segue \
    --access-key="$TEST_S3_ACCESS_KEY" --secret="$TEST_S3_SECRET_KEY" >/dev/null
timeout 60 radosgw-admin subuser create --uid=segue --subuser=segue:reader --access=read --key-type=s3 \
    --access-key="$TEST_S3_READER_ACCESS_KEY" --secret="$TEST_S3_READER_SECRET_KEY" >/dev/null
for _ in $(seq 60); do
    curl -sf -o /dev/null http://127.0.0.1:26791/ && break
    sleep 0.5
done
"$(dirname "$0")/../.venv/bin/python" - <<'PY'
import os
from minio import Minio
keys = (os.environ["TEST_S3_ACCESS_KEY"], os.environ["TEST_S3_SECRET_KEY"])
Minio("127.0.0.1:26791", *keys, secure=False, region="us-east-1").make_bucket("segue")
PY
"$@"
