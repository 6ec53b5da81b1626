# dnsmasq answers for NAME.serf, and for ROLE.role.serf with every node that
# has that role.
#
# dnsmasq.conf beside this file has the line that reads the names.

rule "names" {
  description = "dnsmasq knows every live node"

  template {
    source           = "dnsmasq-hosts"
    destination      = "/etc/dnsmasq.hosts/addn/muster.hosts"
    vars             = { domain = "serf", group_tag = "role" }
    create_dest_dirs = true
  }

  # dnsmasq reads the file again on SIGHUP. Its own check, dnsmasq --test, does
  # not read such files.
  reload = ["systemctl", "reload", "dnsmasq"]

  guard {
    max_loss = "50%" # losing more than half at once …
    hold     = "60s" # … is believed after a minute
  }
}
