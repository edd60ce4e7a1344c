#!/bin/bash
# Measures the proxy beside haproxy in TCP mode: same origin, same client, one core for the proxy, interleaved rounds.
# Prints CPU microseconds per request (user and system time of the proxy over completed requests) and medians of ratios.
# See README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
proxy=${1:?path of the egress_bench example, built with --release}
load=${2:?path of egress-load, built with --release}
rounds=${ROUNDS:-5}
secs=${SECS:-3}
mkdir -p /tmp/aiva-egress-bench
head -c 1024 /dev/zero > /tmp/aiva-egress-bench/1k
head -c $((64 << 20)) /dev/zero > /tmp/aiva-egress-bench/64m
ulimit -n "$(ulimit -Hn)"
taskset -c 1 nginx -c "$here/nginx.conf" & nginx_pid=$!
taskset -c 0 haproxy -f "$here/haproxy.cfg" & haproxy_pid=$!
taskset -c 0 "$proxy" 127.0.0.1:4750 & ours_pid=$!
theirs_pid=
if [ -n "${SMOKESCREEN:-}" ]; then
    acl=/tmp/aiva-egress-bench/acl.yaml
    {
        printf 'version: v1\nservices: []\ndefault:\n  project: bench\n  action: enforce\n  allowed_domains:\n    - 127.0.0.1\n'
        for index in $(seq 0 999); do printf '    - "*.service-%d.example"\n' "$index"; done
    } > "$acl"
    # Without client certificates nobody has a role of his own: the default's rules hold.
    echo 'allow_missing_role: true' > /tmp/aiva-egress-bench/smokescreen.yaml
    GOMAXPROCS=1 taskset -c 0 "$SMOKESCREEN" --listen-ip 127.0.0.1 --listen-port 4751 --allow-range 127.0.0.0/8 \
        --config-file /tmp/aiva-egress-bench/smokescreen.yaml --egress-acl-file "$acl" > /dev/null 2>&1 & theirs_pid=$!
fi
trap 'kill $nginx_pid $haproxy_pid $ours_pid $theirs_pid 2>/dev/null' EXIT
sleep 1

# Ticks of CPU (user and system) that a process has used.
ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }

# measure NAME PID ARGS...: one run; prints NAME, CPU microseconds per unit, requests per second, p50 and p99.
measure() {
    local name=$1 pid=$2 unit=$3; shift 3
    local before after out
    before=$(ticks "$pid")
    out=$(taskset -c 1 "$load" "$@" --warm 0 --secs "$secs")
    after=$(ticks "$pid")
    python3 - "$name" "$unit" "$before" "$after" "$out" <<'P'
import json, sys
name, unit, before, after, out = sys.argv[1:]
row = json.loads(out)
cpu = (int(after) - int(before)) * 10_000
done = row["ok"] if unit == "request" else row["mbps"] * row["secs"] / 1073.741824
print(json.dumps({"name": name, "cpu": cpu / max(done, 1e-9), "rps": row["rps"], "p50": row["p50_us"], "p99": row["p99_us"], "err": row["err"]}))
P
}

results=$(mktemp)
for _ in $(seq "$rounds"); do
    t=127.0.0.1:4780
    measure abs.haproxy "$haproxy_pid" request --mode direct --target 127.0.0.1:4760 --path /1k --conns 32 >> "$results"
    measure abs.aiva "$ours_pid" request --mode abs --proxy 127.0.0.1:4750 --target $t --path /1k --conns 32 >> "$results"
    # haproxy carries a connection where we open a tunnel: one connection, one request, close.
    if [ -n "$theirs_pid" ]; then
        measure abs.smokescreen "$theirs_pid" request --mode abs --proxy 127.0.0.1:4751 --target $t --path /1k --conns 32 >> "$results"
        measure connect.smokescreen "$theirs_pid" request --mode connect-setup --proxy 127.0.0.1:4751 --target $t --path /1k --conns 32 >> "$results"
    fi
    measure connect.haproxy "$haproxy_pid" request --mode direct --noka 1 --target 127.0.0.1:4760 --path /1k --conns 32 >> "$results"
    measure connect.aiva "$ours_pid" request --mode connect-setup --proxy 127.0.0.1:4750 --target $t --path /1k --conns 32 >> "$results"
    measure tunnel.haproxy "$haproxy_pid" request --mode direct --target 127.0.0.1:4760 --path /1k --conns 32 >> "$results"
    measure tunnel.aiva "$ours_pid" request --mode connect-ka --proxy 127.0.0.1:4750 --target $t --path /1k --conns 32 >> "$results"
    measure bulk.haproxy "$haproxy_pid" gib --mode direct --target 127.0.0.1:4760 --path /64m --conns 4 >> "$results"
    measure bulk.aiva "$ours_pid" gib --mode bulk --proxy 127.0.0.1:4750 --target $t --path /64m --conns 4 >> "$results"
done
python3 - "$results" <<'P'
import json, statistics, sys
rows = {}
for line in open(sys.argv[1]):
    row = json.loads(line)
    rows.setdefault(row["name"], []).append(row)
print(f"{'':10}{'haproxy cpu':>14}{'aiva cpu':>12}{'ratio':>8}{'haproxy p99':>14}{'aiva p99':>12}{'ratio':>8}{'errors':>8}")
median = lambda rows, key: statistics.median(row[key] for row in rows)
for kind in ("abs", "connect", "tunnel", "bulk"):
    theirs, ours = rows[kind + ".haproxy"], rows[kind + ".aiva"]
    ratio = statistics.median(o["cpu"] / t["cpu"] for o, t in zip(ours, theirs))
    slow = statistics.median(o["p99"] / t["p99"] for o, t in zip(ours, theirs))
    print(f"{kind:10}{median(theirs, 'cpu'):14.1f}{median(ours, 'cpu'):12.1f}{ratio:8.2f}"
          f"{median(theirs, 'p99'):14.0f}{median(ours, 'p99'):12.0f}{slow:8.2f}{sum(r['err'] for r in ours):8}")
for kind in ("abs", "connect"):
    theirs, ours = rows.get(kind + ".smokescreen"), rows[kind + ".aiva"]
    if theirs:
        ratio = statistics.median(t["cpu"] / o["cpu"] for o, t in zip(ours, theirs))
        print(f"{kind}: smokescreen {median(theirs, 'cpu'):.1f}, {ratio:.1f} times ours; p99 {median(theirs, 'p99'):.0f}, errors {sum(r['err'] for r in theirs)}")
print("cpu: microseconds per request; bulk: microseconds per GiB")
P

# Memory of idle tunnels: proportional set size before and after.
pss() { awk '/^Pss:/ {print $2}' "/proc/$1/smaps_rollup"; }
tunnels=${TUNNELS:-4000}
taskset -c 1 "$load" --mode idle --proxy 127.0.0.1:4750 --target 127.0.0.1:4780 --conns "$tunnels" --secs 5 > /tmp/aiva-egress-bench/idle & idle_pid=$!
before=$(pss "$ours_pid")
sleep 4
after=$(pss "$ours_pid")
wait "$idle_pid" || true
cat /tmp/aiva-egress-bench/idle
echo "idle tunnel: $(( (after - before) * 1024 / tunnels )) bytes PSS each, $tunnels tunnels"
