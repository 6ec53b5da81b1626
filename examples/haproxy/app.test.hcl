# Run these with: muster test examples/haproxy
test "every live app node is a server" {
  members = [
    { name = "lb1", addr = "10.0.0.9", tags = { role = "lb" } },
    { name = "app1", addr = "10.0.0.1", tags = { role = "app" } },
    { name = "app2", addr = "10.0.0.2", tags = { role = "app" }, status = "left" },
    { name = "app3", addr = "fd00::3", tags = { role = "app" } },
  ]
  self = "lb1"

  expect "app-backend" {
    file "/etc/haproxy/backends/app.cfg" {
      contains = ["server app1 10.0.0.1:8080", "server app3 [fd00::3]:8080"]
      lacks    = ["app2", "lb1"]
    }
  }
}

test "without app nodes the backend is empty" {
  members = [{ name = "lb1", addr = "10.0.0.9", tags = { role = "lb" } }]
  self    = "lb1"

  expect "app-backend" {
    file "/etc/haproxy/backends/app.cfg" {
      contains = ["backend app"]
      lacks    = ["server "]
    }
  }
}
