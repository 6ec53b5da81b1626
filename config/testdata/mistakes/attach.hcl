cluster {
  attach     = "127.0.0.1:7373"
  rpc_auth   = "a secret that is shown nowhere"
  start_join = ["127.0.0.1"]
  rpc_addr   = "127.0.0.1:7373"
  log_level  = "warn"

  encrypt_key = "a secret that is no key, but is not looked at"

  event_handlers = ["deploy.sh"]
}
