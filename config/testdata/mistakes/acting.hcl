cluster {
  rpc_addr       = "0.0.0.0:7373"
  event_handlers = ["deploy.sh", "user:deploy=", "run deploy=x.sh", 5]
  handlers_dir   = "/nonexistent"
  trusted_keys   = "/nonexistent/keys"
  statsd_addr    = "localhost"
  statsite_addr  = "localhost:http"

  handler_timeout = "10ms"
  event_max_age   = "0s"
  syslog_facility = "locla0"

  retry_max_attempts = 3
  discover           = "a b"

  mdns {
    iface        = "lo"
    disable_ipv4 = "no"
    more {}
  }
}

cluster {
  mdns = { disable_ipv4 = true, "disable_ipv6" = true }

  disable_ipv4  = true
  rpc_auth      = "a secret that is shown nowhere"
  enable_syslog = 1
}

cluster {
  mdns = 5
}

mdns {
  interface = "lo"
}
