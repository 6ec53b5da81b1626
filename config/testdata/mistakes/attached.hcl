cluster {
  attach   = "localhost"
  rpc_addr = "7373"
}
