# dnsmasq answers for NAME.serf, and for ROLE.role.serf with every node that
# has that role.
#
# In dnsmasq's configuration, so that it reads the names and asks nobody else for
# these:
#
#   addn-hosts=/etc/dnsmasq.hosts/addn
#   local=/serf/
#
# muster init writes it where it finds: dnsmasq

rule "names" {
  description = "dnsmasq knows every live node"

  # domain: what every name ends with, so that nobody takes the name of a host
  # elsewhere. group_tag: members with the same value of this tag share a name.
  template {
    source           = "dnsmasq-hosts"
    destination      = "/etc/dnsmasq.hosts/addn/muster.hosts"
    vars             = { domain = "serf", group_tag = "role" }
    create_dest_dirs = true
  }

  # dnsmasq reads the file again on SIGHUP. Its own check, dnsmasq --test, does
  # not read such files.
  reload = "dnsmasq"

  # The last name stays, too: min_members = 0 would render none.
  guard {
    max_loss = "50%" # losing more than half at once …
    hold     = "60s" # … is believed after a minute
  }
}
