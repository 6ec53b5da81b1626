# munin watches every live member.
#
# Debian's /etc/munin/munin.conf reads the directory already:
#
#   includedir /etc/munin/munin-conf.d
#
# Each member runs munin-node and lets this host ask: in munin-node.conf,
# `cidr_allow 10.0.0.0/24`. Its group is its tag munin-group.
#
# muster init writes it where it finds: /usr/share/munin/munin-update

rule "munin-hosts" {
  description = "munin watches every live member"

  members {
    status   = ["alive", "failed"] # munin shows itself that a host is down
    draining = "include"           # a node that takes no work is still there
  }

  # group: of members without a tag munin-group. There are also group_tag and
  # port, if munin-node's is not 4949.
  template {
    source      = "munin-hosts"
    destination = "/etc/munin/munin-conf.d/muster.conf"
    vars        = { group = "cluster" }
    perms       = "0644" # munin-update runs as munin
  }

  # munin's own parser. There is nothing to reload: munin-update reads its
  # configuration each time cron starts it.
  check = "munin"

  # Members that come or go together are one change.
  wait = "1s:10s"

  guard {
    min_members = 1     # never none; 0 would take all graphs off the page
    max_loss    = "50%" # losing more than half at once …
    hold        = "10m" # … is believed after ten minutes
  }
}
