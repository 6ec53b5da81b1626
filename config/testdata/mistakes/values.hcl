cluster {
  node_name             = "a b"
  bind                  = "127.0.0.1:99999"
  advertise             = "0.0.0.0"
  start_join            = ["127.0.0.1", "not an address"]
  encrypt_key           = "a secret that is no key"
  tags                  = { "" = "x" }
  profile               = "lam"
  protocol              = 9
  rejoin_after_leave    = true
  user_event_size_limit = 10000
}

rules {
  resync = "10ms"
}

nodes {
  every     = "10m"
  threshold = 0
}

log {
  format = "jsn"
}
