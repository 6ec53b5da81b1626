# What the scripts share. Everything that an event says is somebody else's word:
# it is looked at here before anything is done with it, and always stands in
# quotes.
LC_ALL=C
export LC_ALL

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# check_name NAME: of an app; a part of an image's name and of a container's.
check_name() {
  case $1 in
  '' | -* | *[!a-z0-9-]*) die "an app's name is of a-z, 0-9 and hyphens" ;;
  esac
  [ ${#1} -le 40 ] || die "an app's name has at most 40 characters"
}

# check_image NAME:TAG: the tag is a commit's id.
check_image() {
  case $1 in
  *:*) ;;
  *) die "an image is called NAME:TAG" ;;
  esac
  check_name "${1%%:*}"
  case ${1#*:} in
  '' | *[!0-9a-f]*) die "an image's tag is a commit's id" ;;
  esac
}

# port_of NAME: the port of an app in APPS, a list of NAME=PORT.
port_of() {
  for app in $APPS; do
    if [ "${app%%=*}" = "$1" ]; then
      echo "${app#*=}"
      return
    fi
  done
  die "no such app here: see apps in 00-site.hcl"
}

# running: the apps whose containers run, one a line.
running() {
  names=$("$CONTAINER_ENGINE" ps --format '{{.Names}}') || return 1
  printf '%s\n' "$names" | sed -n 's/^pipeline-//p' | sort
}

# withdraw NAME: the router sends nothing here any more.
withdraw() {
  muster tags --delete "app-$1" >&2
  sleep "$DRAIN"
}

# advertise: this node's tags say which apps run. Should another script start or
# stop one meanwhile, look again: the last one to look is right.
advertise() {
  now=$(running)
  while :; do
    set --
    for app in $APPS; do
      name=${app%%=*}
      if printf '%s\n' "$now" | grep -qxF -e "$name"; then
        set -- "$@" --set "app-$name=${app#*=}"
      else
        set -- "$@" --delete "app-$name"
      fi
    done
    muster tags "$@" >&2
    before=$now
    now=$(running)
    [ "$now" != "$before" ] || return 0
  done
}
