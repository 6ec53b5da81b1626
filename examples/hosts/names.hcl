# /etc/hosts knows every live node, as NAME.serf. What else is in the file stays
# as it is.

rule "hosts" {
  description = "/etc/hosts knows every live node"

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
