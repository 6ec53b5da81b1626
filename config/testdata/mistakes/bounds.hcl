cluster {
  protocol = 1e600000000
}
