cluster {
  role                = "web"
  validate_node_names = true
}
