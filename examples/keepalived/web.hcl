# keepalived's LVS balances over every live web node, and goes on checking them
# itself.
#
# In /etc/keepalived/keepalived.conf:
#
#   include /etc/keepalived/conf.d/*.conf
#
# muster init writes it where it finds: keepalived

rule "web-servers" {
  description = "LVS balances over every live web node"

  # Whom it is about. Patterns are for the whole value: "web|api" is both, and a
  # tag that holds a list takes `where = has_tag_item(member.tags.role, "web")`.
  members {
    tags = { role = "web" }
  }

  # virtual, virtual_port: what clients connect to. weight_tag: the tag that
  # says how much a member can take. There are also port (with "NAT"),
  # lvs_sched ("wlc"), check ("http" with check_path, or false), sorry_server.
  template {
    source           = "keepalived-real-servers"
    destination      = "/etc/keepalived/conf.d/web.conf"
    vars             = { virtual = "10.0.0.100", virtual_port = 80, lvs_method = "DR", weight_tag = "weight" }
    create_dest_dirs = true
  }

  # keepalived reads the new file alone, before anything is put in place. On a
  # reload it would take what it likes of a file, and leave out the rest.
  check  = "keepalived"
  reload = "keepalived"

  # Members that come or go together cause one reload: wait for 200 ms of quiet,
  # for two seconds at most, and reload once in two seconds at most.
  wait  = "200ms:2s"
  every = "2s"

  guard {
    min_members = 0     # none: the virtual server stays, and answers nobody
    max_loss    = "50%" # losing more than half at once …
    hold        = "60s" # … is believed after a minute
  }
}
