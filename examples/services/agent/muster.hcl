# An agent's configuration: this node offers a shop while it answers.

services {
  cloud = "example" # published as HOST.example.local
}

service "shop" {
  type        = "web"
  port        = 8080
  description = "The shop"
  txt         = "path=/"

  check    = ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8080/"]
  interval = "10s"
  timeout  = "5s"
  failures = 3 # in a row: withdrawn
  passes   = 2 # in a row: published again
}
