cluster {
  node_name = "web1
}
