# `ssh web1.serf` finds the node web1, wherever it is.
#
# Debian's /etc/ssh/ssh_config includes /etc/ssh/ssh_config.d/*.conf. For one
# user: a destination in their ~/.ssh, an agent of their own, and
# `Include ~/.ssh/muster.conf` at the top of ~/.ssh/config.
#
# muster init writes it where it finds: ssh

rule "ssh-hosts" {
  description = "ssh knows every live node by its name"

  members {
    draining = "include" # a node that takes no work is still there
  }

  # domain: what every name ends with, so that nobody takes the name of a host
  # elsewhere. There are also user, port, and port_tag ("ssh_port"), the tag that
  # holds a member's own port. perms: everybody who uses ssh reads the file.
  template {
    source      = "ssh-config"
    destination = "/etc/ssh/ssh_config.d/muster.conf"
    vars        = { domain = "serf" }
    perms       = "0644"
  }

  # ssh reads the new file before it is put in place, and connects to nothing.
  check = "ssh"
}
