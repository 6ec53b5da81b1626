node_name = "outside"

cluster {
  bnd      = "127.0.0.1"
  foo      = 1
  rpc_addr = "127.0.0.1:7373"
  mdns {
    interface = "lo"
  }
  tags {
    role = "web"
  }
}

rules {
  dri     = "rules.d"
  profile = "lan"
}

clutser {}

http "api" {}

telemetry {}
