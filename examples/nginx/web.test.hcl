# Run these with: muster test examples/nginx
test "traffic goes to the live web nodes" {
  members = [
    { name = "lb1", addr = "10.0.0.9", tags = { role = "lb" } },
    { name = "web1", addr = "10.0.0.1", tags = { role = "web" } },
    { name = "web2", addr = "10.0.0.2", tags = { role = "web" }, status = "failed" },
    { name = "web3", addr = "fd00::3", tags = { role = "web" } },
  ]
  self = "lb1"

  expect "web-upstream" {
    file "/etc/nginx/conf.d/web-upstream.conf" {
      equals = file("golden/web-upstream.conf")
    }
  }
}
