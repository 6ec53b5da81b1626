# /etc/hosts knows every live node, as NAME.serf. What else is in the file stays
# as it is.
#
# muster init writes it where it finds: /etc/hosts

rule "hosts" {
  description = "/etc/hosts knows every live node"

  members {
    draining = "include" # a node that takes no work is still there
  }

  # The built-in is a block of the file, between two lines that muster finds
  # again. domain: what every name ends with. With short = true a member without
  # a dot in its name is known by that alone, too.
  template {
    source      = "hosts-block"
    destination = "/etc/hosts"
    vars        = { domain = "serf" }
  }

  # There is neither a check nor a reload: the C library reads the file each
  # time.

  guard {
    max_loss = "50%" # losing more than half at once …
    hold     = "60s" # … is believed after a minute
  }
}
