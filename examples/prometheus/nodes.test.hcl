# Run these with: muster test examples/prometheus
test "every node is a target" {
  members = [
    { name = "web1", addr = "10.0.0.1", tags = { role = "web" } },
    { name = "db1", addr = "fd00::2", tags = { role = "db" } },
    { name = "web3", addr = "10.0.0.3", tags = { role = "web" }, status = "left" },
  ]
  self = "web1"

  expect "node-targets" {
    file "/etc/prometheus/muster/nodes.json" {
      contains = ["10.0.0.1:9100", "[fd00::2]:9100"]
      lacks    = ["10.0.0.3"]
    }
  }
}
