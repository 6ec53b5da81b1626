test "nginx sends its requests to the web server" {
  members = [
    { name = "lb", addr = "192.168.56.10", tags = { role = "lb" } },
    { name = "web", addr = "192.168.56.11", tags = { role = "web" } },
  ]
  self = "lb"

  expect "web-upstream" {
    file "/etc/nginx/conf.d/web-upstream.conf" {
      contains = ["server 192.168.56.11:8080;"]
      lacks    = ["192.168.56.10"]
    }
  }
}
