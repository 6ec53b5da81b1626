# Run these with: muster test examples/haproxy
test "every live api node is a server with its weight" {
  members = [
    { name = "lb1", addr = "10.0.0.9", tags = { role = "lb" } },
    { name = "api1", addr = "10.0.0.1", tags = { role = "api", weight = "5" } },
    { name = "api2", addr = "10.0.0.2", tags = { role = "api" }, status = "failed" },
    { name = "api3", addr = "fd00::3", tags = { role = "api" } },
    { name = "api4", addr = "10.0.0.4", tags = { role = "api", weight = "257" } },
  ]
  self = "lb1"

  expect "api-backend" {
    file "/etc/haproxy/backends/api.cfg" {
      contains = ["server api1 10.0.0.1:8080 weight 5 check", "server api3 [fd00::3]:8080 check"]
      lacks    = ["api2", "api4", "lb1"]
    }
  }
}

test "without api nodes the backend is empty" {
  members = [{ name = "lb1", addr = "10.0.0.9", tags = { role = "lb" } }]
  self    = "lb1"

  expect "api-backend" {
    file "/etc/haproxy/backends/api.cfg" {
      contains = ["backend api"]
      lacks    = ["server "]
    }
  }
}
