# keepalived's LVS balances over every live web node, and goes on checking them
# itself.
#
# In /etc/keepalived/keepalived.conf:
#
#   include /etc/keepalived/conf.d/*.conf

rule "web-servers" {
  description = "LVS balances over every live web node"

  members {
    tags = { role = "web" }
  }

  template {
    source           = "keepalived-real-servers"
    destination      = "/etc/keepalived/conf.d/web.conf"
    vars             = { virtual = "10.0.0.100", virtual_port = 80, lvs_method = "DR", weight_tag = "weight" }
    create_dest_dirs = true
  }

  # keepalived reads the new file alone, before anything is put in place. On a
  # reload it would take what it likes of a file, and leave out the rest.
  check  = ["keepalived", "-t", "-f", staged["/etc/keepalived/conf.d/web.conf"]]
  reload = ["systemctl", "reload", "keepalived"]

  wait  = "200ms:2s"
  every = "2s"

  guard {
    min_members = 0     # none: the virtual server stays, and answers nobody
    max_loss    = "50%" # losing more than half at once …
    hold        = "60s" # … is believed after a minute
  }
}
