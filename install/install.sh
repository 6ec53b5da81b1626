#!/bin/sh
# Installs muster from what lies beside this script, or removes it. It needs no
# network. What can go wrong is looked at first, then it is said what will be
# done, and only then is anything changed.
#
#   install.sh [install]       install, or upgrade; a second time there is nothing to do
#   install.sh uninstall       remove it; what is in /etc/muster and /var/lib/muster stays
#   install.sh prepare-image   make this system an image to clone: see docs/raspberry-pi.md
#
#   --from DIR    where the files are (default: beside this script)
#   --root DIR    the system below DIR, such as a mounted image, instead of this one
#   --arch ARCH   amd64, arm64 or armhf (default: the system's)
#   --no-start    install: neither enable nor start nor restart the agent
#   --purge       uninstall: remove the configuration and the state, too
#   --dry-run     only say what would be done
#
# In DIR are a package, muster_VERSION_ARCH.deb, or a binary, muster-linux-ARCH,
# with muster.service and muster.hcl; and SHA256SUMS, which has all of them. The
# package is taken where dpkg is. Checksums find damage, not malice: take them
# from where you trust what you get.
#
# It exits with 0 when all is done, with 1 when something is in the way, and
# with 2 when it was called wrongly.
set -eu
umask 022
unset CDPATH
export LC_ALL=C
# What is cleaned up on EXIT is so after a signal, too: dash would not.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

say() { printf '%s\n' "$*"; }
fail() {
  printf 'install.sh: cannot %s\n' "$*" >&2
  exit 1
}
misused() {
  printf 'install.sh: %s; see install.sh --help\n' "$*" >&2
  exit 2
}

from=$(dirname "$0") root='' arch='' action='' start=yes purge='' dry=''
while [ $# -gt 0 ]; do
  case $1 in
  install | uninstall | prepare-image)
    [ -z "$action" ] || misused "both $action and $1 are asked for"
    action=$1
    ;;
  --from | --root | --arch)
    [ -n "${2:-}" ] || misused "$1 wants a value"
    case $1 in --from) from=$2 ;; --root) root=$2 ;; --arch) arch=$2 ;; esac
    shift
    ;;
  --no-start) start='' ;;
  --purge) purge=yes ;;
  --dry-run) dry=yes ;;
  -h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  *) misused "unknown argument $1" ;;
  esac
  shift
done
action=${action:-install}
case $from in -*) from=./$from ;; esac
[ -z "$root" ] || [ -d "$root" ] || fail "use $root as a system: there is no such directory"
[ "$(id -u)" -eq 0 ] || fail "$action muster as this user: run this as root, with sudo for example"
if [ -n "$root" ]; then root=$(cd -- "$root" && pwd -P) && root=${root%/}; fi

unit=/usr/lib/systemd/system/muster.service
wanted=/etc/systemd/system/multi-user.target.wants/muster.service

# systemd_runs: this system is up, and systemd runs it.
systemd_runs() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

# inside runs a command in the system that this is about.
inside() { if [ -n "$root" ]; then chroot "$root" "$@"; else "$@"; fi; }

# stay_inside fails where a link in an image leads out of it: absolute ones lead
# to what is this system's own, as long as this is outside.
stay_inside() {
  [ -n "$root" ] || return 0
  for name; do
    real=$(realpath -m -- "$root$name") || fail "tell where $root$name leads"
    case $real/ in "$root"/*) ;; *) fail "use $root$name: a link leads out of $root, to $real; make it a relative one" ;; esac
  done
}

# package_status is what dpkg knows of muster: "installed", "config-files" when
# only its configuration is left, or nothing.
package_status() { dpkg_field muster Status | sed 's/.* //; /not-installed/d'; }

# dpkg_field PACKAGE FIELD is what dpkg's list says. It works for a system whose
# programs do not run here, too.
dpkg_field() {
  [ -r "$root/var/lib/dpkg/status" ] || return 0
  awk -v package="$1" -v field="$2:" '$1 == "Package:" { found = $2 == package }
    found && $1 == field { sub(/^[^ ]* /, ""); print; exit }' "$root/var/lib/dpkg/status"
}
packaged() { [ "$(package_status)" = installed ]; }

# debian_arch is the architecture in Debian's words. A 64-bit kernel may run a
# 32-bit system, as it does on many a Raspberry Pi: what the programs are counts.
debian_arch() {
  found=$(dpkg_field base-files Architecture)
  if [ -n "$found" ]; then say "$found" && return; fi
  [ -z "$root" ] || fail "tell which architecture $root has: dpkg has not installed it; say it with --arch"
  case $(uname -m)/$(getconf LONG_BIT 2>/dev/null || true) in
  x86_64/*) say amd64 ;;
  aarch64/32 | armv[678]l/*) say armhf ;;
  aarch64/*) say arm64 ;;
  *) uname -m ;;
  esac
}

# verify compares files below $from with SHA256SUMS.
verify() {
  [ -r "$from/SHA256SUMS" ] || fail "read $from/SHA256SUMS: without it nobody knows whether the files are whole"
  for file; do
    [ -r "$from/$file" ] || fail "find $file in $from: get it from where the rest is from"
    want=$(awk -v file="$file" '{ name = $2; sub(/^\*/, "", name) } name == file { print $1 }' <"$from/SHA256SUMS")
    [ -n "$want" ] || fail "trust $from/$file: SHA256SUMS does not have it"
    have=$(sha256sum <"$from/$file")
    [ "${have%% *}" = "$want" ] || fail "trust $from/$file: its SHA-256 is ${have%% *}, in SHA256SUMS it is $want; get it again"
  done
}

# install_package installs a .deb.
install_package() {
  deb=$1
  verify "$deb"
  stay_inside /tmp /usr/bin/muster /usr/sbin/policy-rc.d
  version=$(dpkg-deb -f "$from/$deb" Version) || fail "read $from/$deb"
  temp=$(mktemp -d "$root/tmp/muster-XXXXXX") # inside the system, and nobody else's
  trap 'rm -rf "$temp"' EXIT
  cp "$from/$deb" "$temp/muster.deb"
  deb_inside=${temp#"$root"}/muster.deb
  inside dpkg --no-act -i "$deb_inside" >/dev/null || fail "install $deb: dpkg would not"
  dpkg-deb --fsys-tarfile "$temp/muster.deb" | tar -xOf - ./usr/bin/muster >"$temp/muster" || fail "find usr/bin/muster in $deb"
  if packaged && [ "$(dpkg_field muster Version)" = "$version" ] && cmp -s "$temp/muster" "$root/usr/bin/muster"; then
    say "muster $version is installed from $deb: nothing to do."
    return
  fi
  say "This installs muster $version${root:+ in $root} from $from/$deb:"
  say "  dpkg installs the package; configuration files that were changed stay as they are"
  if [ -z "$start" ]; then say "  the agent is neither started nor restarted"; fi
  if [ -n "$dry" ]; then return; fi
  policy=$root/usr/sbin/policy-rc.d # maintainer scripts ask it before they start anything
  if { [ -z "$start" ] || [ -n "$root" ]; } && [ ! -e "$policy" ]; then
    trap 'rm -rf "$temp" "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
  fi
  inside env DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold -i "$deb_inside" </dev/null ||
    fail "install $deb: see above; \`dpkg --configure -a\` tries again"
  say "Done."
}

# install_binary installs a binary with what belongs to it. All files are
# written beside where they go, and then put in place.
install_binary() {
  binary=$1
  ! packaged || fail "install $binary: muster is installed as a package; put its .deb here, or run \`install.sh uninstall\` first"
  verify "$binary" muster.service muster.hcl
  stay_inside /usr/bin/muster "$unit" /etc/muster/muster.hcl /etc/muster/rules.d /var/lib/muster "${wanted%/*}"
  files="/usr/bin/muster 0755 $binary
$unit 0644 muster.service"
  [ -e "$root/etc/muster/muster.hcl" ] || files="$files
/etc/muster/muster.hcl 0640 muster.hcl"
  changed='' fresh=yes
  if [ -e "$root/usr/bin/muster" ]; then fresh=''; fi
  while read -r target mode source; do
    if ! cmp -s "$from/$source" "$root$target"; then changed="$changed$target $mode $source
"; fi
  done <<TABLE
$files
TABLE
  if [ -z "$changed" ]; then
    say "muster is installed from $binary: nothing to do."
    return
  fi

  say "This installs muster${root:+ in $root} from $from/$binary:"
  printf '%s' "$changed" | while read -r target mode source; do
    if [ -e "$root$target" ]; then say "  replace  $target"; else say "  create   $target"; fi
  done
  case $changed in */etc/muster/muster.hcl*) ;; *) say "  keep     /etc/muster/muster.hcl" ;; esac
  say "  create   /etc/muster/rules.d and /var/lib/muster, where they are missing"
  if [ -z "$start" ]; then
    say "  the agent is neither started nor restarted"
  elif [ -n "$fresh" ]; then
    say "  enable muster.service$(systemd_runs && say ' and start it')"
  elif systemd_runs; then
    say "  restart muster.service if it runs"
  fi
  if [ -n "$dry" ]; then return; fi

  trap unstage EXIT
  made=''
  make_dir 0755 /usr/bin "${unit%/*}" /etc/muster /etc/muster/rules.d /var/lib
  make_dir 0700 /var/lib/muster
  if [ -n "$start$fresh" ]; then make_dir 0755 "${wanted%/*}"; fi
  while read -r target mode source; do
    if [ -z "$target" ]; then continue; fi
    if [ -d "$root$target" ]; then fail "write $root$target: it is a directory"; fi
    cp "$from/$source" "$root$target.install-new" || fail "write $root$target"
    chmod "$mode" "$root$target.install-new"
  done <<TABLE
$changed
TABLE
  if [ -z "$root" ] && [ -e /usr/bin/muster.install-new ]; then
    ran=$(/usr/bin/muster.install-new version 2>&1) || fail "run $from/$binary here: $ran"
  fi
  sync # before the names mean the new files
  trap - EXIT
  # From here on nothing is left that should fail.
  printf '%s' "$changed" | while read -r target mode source; do
    mv -f "$root$target.install-new" "$root$target"
  done
  if [ -n "$start" ] && [ -n "$fresh" ]; then ln -sf "$unit" "$root$wanted"; fi
  if systemd_runs; then
    systemctl daemon-reload
    if [ -n "$start" ] && [ -n "$fresh" ]; then
      systemctl start muster || fail "start the agent, which is installed: see \`systemctl status muster\`"
    elif [ -n "$start" ]; then
      systemctl try-restart muster || fail "restart the agent, which is installed: see \`systemctl status muster\`"
    fi
  fi
  say "Done."
}

# make_dir MODE DIR... makes what is missing, and notes what it made.
make_dir() {
  dir_mode=$1
  shift
  for dir; do
    if [ -d "$root$dir" ]; then continue; fi
    mkdir -p "$root$dir" || fail "make $root$dir"
    chmod "$dir_mode" "$root$dir"
    made="$root$dir
$made"
  done
}

# unstage takes back what was written before something failed.
unstage() {
  printf '%s' "$changed" | while read -r target mode source; do rm -f "$root$target.install-new"; done
  printf '%s' "$made" | while read -r dir; do rmdir "$dir" 2>/dev/null || true; done
}

install_muster() {
  arch=${arch:-$(debian_arch)}
  case $arch in armhf | armv6) arch=armhf binary=muster-linux-armv6 ;; *) binary=muster-linux-$arch ;; esac
  set -- "$from"/muster_*_"$arch".deb
  if [ $# -gt 1 ]; then fail "choose among $*: leave one of them"; fi
  if [ -e "$1" ] && [ -r "$root/var/lib/dpkg/status" ] && inside dpkg --version >/dev/null 2>&1; then
    install_package "${1##*/}"
  elif [ -e "$from/$binary" ]; then
    install_binary "$binary"
  elif [ -e "$1" ]; then
    fail "install $1: ${root:-this system} has no dpkg that runs here; put $binary there, too"
  else
    fail "find muster for $arch in $from: neither muster_VERSION_$arch.deb nor $binary is there"
  fi
}

uninstall_muster() {
  mine="/usr/bin/muster $unit $wanted"
  if [ -n "$purge" ]; then mine="$mine /etc/muster /var/lib/muster"; fi
  there='' package=$(package_status)
  if [ "$package" = config-files ] && [ -z "$purge" ]; then package=''; fi
  for path in $mine; do
    stay_inside "${path%/*}" # a link itself is removed, not what it leads to
    if [ -e "$root$path" ] || [ -L "$root$path" ]; then there="$there $path"; fi
  done
  if [ -z "$there$package" ]; then
    say "muster is not installed: nothing to do."
    return
  fi
  say "This removes muster${root:+ from $root}:"
  if systemd_runs; then say "  stop and disable muster.service; the node leaves the cluster"; fi
  if [ -n "$package" ]; then say "  dpkg removes the package${purge:+ with its configuration}"; fi
  for path in $there; do say "  remove   $path"; done
  if [ -z "$purge" ]; then say "  keep     /etc/muster and /var/lib/muster; --purge removes them"; fi
  say "  keep     the files that rules wrote, as they are"
  if [ -n "$dry" ]; then return; fi
  if systemd_runs && [ -e "$unit" ]; then
    systemctl disable --now --quiet muster || fail "stop the agent: see \`systemctl status muster\`"
  fi
  if [ -n "$package" ]; then
    inside dpkg "$(if [ -n "$purge" ]; then say --purge; else say --remove; fi)" muster || fail "remove the package: see above"
  fi
  for path in $there; do rm -rf "$root${path:?}"; done
  if systemd_runs; then systemctl daemon-reload; fi
  say "Done."
}

# prepare_image makes sure that each clone becomes a node of its own.
prepare_image() {
  unprivileged=/var/lib/muster-unprivileged # its directory is user muster's: follow no link there
  stay_inside /usr/bin/muster /etc/muster/muster.hcl /etc/machine-id /var/lib/dbus /var/lib/systemd /var/lib/muster "$unprivileged"
  config=$root/etc/muster/muster.hcl
  [ -e "$root/usr/bin/muster" ] || fail "prepare ${root:-this system}: muster is not installed there; run \`install.sh install\` first"
  grep -Eq '^[[:space:]]*node_name[[:space:]]*=[[:space:]]*"auto"' "$config" 2>/dev/null ||
    fail "prepare ${root:-this system}: all clones would have one name; write cluster { node_name = \"auto\" } into $config"
  grep -Eq '^[[:space:]]*(discover|start_join|retry_join)[[:space:]]*=' "$config" ||
    fail "prepare ${root:-this system}: no clone would find the others; write cluster { discover = \"NAME\" } into $config"
  say "This makes ${root:-this system} an image for any number of nodes:"
  if systemd_runs; then say "  stop     the agent, until the next start of the system"; fi
  say "  empty    /etc/machine-id; systemd makes a new one at the first start, and muster the node's name of it"
  say "  remove   /var/lib/dbus/machine-id, /var/lib/systemd/random-seed,"
  say "           what is in /var/lib/muster, and $unprivileged/state"
  if [ -n "$dry" ]; then return; fi
  if systemd_runs; then
    systemctl stop muster || fail "stop the agent: see \`systemctl status muster\`"
    if [ -e "${unit%/*}/muster-unprivileged.service" ]; then
      systemctl stop muster-unprivileged || fail "stop the agent: see \`systemctl status muster-unprivileged\`"
    fi
  fi
  : >"$root/etc/machine-id" || fail "empty $root/etc/machine-id"
  rm -f "$root/var/lib/dbus/machine-id" "$root/var/lib/systemd/random-seed"
  if [ -d "$root/var/lib/muster" ]; then find "$root/var/lib/muster/" -mindepth 1 -delete; fi
  rm -rf "$root$unprivileged/state"
  if [ -z "$root" ]; then say "Done. Now switch off, and copy the card before it is started again."; else say "Done."; fi
}

stay_inside /var/lib/dpkg/status
case $action in
install) install_muster ;;
uninstall) uninstall_muster ;;
prepare-image) prepare_image ;;
esac
