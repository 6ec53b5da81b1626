#!/bin/sh
# Makes a Debian machine one of the two of this example. It may be run again: it
# then upgrades muster and starts the services anew.
#
#   provision.sh lb|web ADDRESS
#
#   ADDRESS        the machine's, on the network that the two share
#   MUSTER_KEY     the key that encrypts their gossip, the same on both
#   MUSTER_FILES   where install.sh and what it installs are (default /srv/muster)
#   MUSTER_START   the command that starts a service, whose name it is given. The
#                  default has systemd do it; a machine without systemd, such as a
#                  container, has another one. It is all that systemd is needed for.
set -eu
role=${1:?lb or web} address=${2:?the address of this machine}
key=${MUSTER_KEY:?the key, as muster keygen makes it}
files=${MUSTER_FILES:-/srv/muster}
here=$(dirname "$0")

start() {
  if [ -n "${MUSTER_START:-}" ]; then
    "$MUSTER_START" "$1"
  else
    systemctl daemon-reload
    systemctl enable --quiet "$1"
    systemctl restart "$1"
  fi
}

# want PROGRAM PACKAGE gets a program from Debian when it is missing.
want() {
  PATH=$PATH:/usr/sbin
  command -v "$1" >/dev/null && return
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q -y update
  apt-get -q -y install --no-install-recommends "$2"
}

# nginx for everybody: its requests go to whom muster has found.
make_lb() {
  want nginx nginx-light
  rm -f /etc/nginx/sites-enabled/default
  cat >/etc/nginx/sites-enabled/two-machines <<'SITE'
server {
  listen 80 default_server;
  location / { proxy_pass http://web; }
}
SITE
  # nginx does not start without the upstream. Who is in it is muster's business.
  upstream=/etc/nginx/conf.d/web-upstream.conf
  [ -e $upstream ] || echo 'upstream web { server 127.0.0.1:9 down; }' >$upstream
  cp "$here"/rules.d/web.hcl /etc/muster/rules.d
  start nginx
}

# The smallest web server that Debian has.
make_web() {
  want busybox busybox
  mkdir -p /srv/web
  echo "This is $(hostname), at $address." >/srv/web/index.html
  cat >/etc/systemd/system/web.service <<'UNIT'
[Unit]
Description=The page of the two machines
After=network.target

[Service]
ExecStart=/bin/busybox httpd -f -p 8080 -h /srv/web
User=nobody

[Install]
WantedBy=multi-user.target
UNIT
  start web
}

"$files/install.sh" install --no-start

# The agents find each other by multicast DNS, under a name that they share. A
# keyring that is there may have newer keys in it.
umask 077
[ -e /etc/muster/keyring.json ] || printf '["%s"]\n' "$key" >/etc/muster/keyring.json
umask 022
cat >/etc/muster/muster.hcl <<CONFIG
cluster {
  bind          = "$address"
  discover      = "two-machines"
  keyring_file  = "/etc/muster/keyring.json"
  snapshot_path = "/var/lib/muster/snapshot"
  tags          = { role = "$role" }
}
CONFIG

case $role in
lb) make_lb ;;
web) make_web ;;
*) echo "provision.sh: $role is neither lb nor web" >&2 && exit 2 ;;
esac
start muster
