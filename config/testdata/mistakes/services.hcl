cluster {
  tags = { services = "x" }
}

services {
  cloud = "gui fi"
}

service {
  port = 80
}

service "none" {}

service "web" {
  prot  = 80
  check = "true"
}

service "large" {
  port     = 65536
  ip       = "10.0.0.300"
  check    = ["true"]
  interval = "10ms"
  timeout  = "2h"
  failures = 0
  passes   = 1001
}

service "a b" {
  port = 80
}

service "unchecked" {
  port     = 81
  failures = 3
}

service "first" {
  type = "web"
  port = 8080
}

service "second" {
  type = "web"
  port = 8080
}

service "first" {
  port = 1
  nested {}
}

service "elsewhere" {
  port = 82
  ip   = "shop.example.org"
}
